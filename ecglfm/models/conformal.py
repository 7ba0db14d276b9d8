"""Prediction sets of a label: which of "it is there" and "it is not" the validation patients do not speak against.

Split conformal prediction (Vovk, Gammerman and Shafer 2005; Angelopoulos and Bates 2021, arXiv:2107.07511),
conditional on the truth (Mondrian; of classes Sadinle, Lei and Wasserman 2019, arXiv:1609.00451): of patients who
have the label, at least `coverage` get a set with "there" in it, and of those who have it not, as many one with "not
there", however rare the label is and whatever the model is worth. That holds for patients like those of the
validation split, and but for what choosing the epoch and temperatures on the same split makes them easier.

Recordings of one patient are alike, patients are exchangeable: so each patient counts once, spread over their
recordings, and the promise is of a random recording of a new patient (hierarchical conformal prediction: Lee, Barber
and Willett 2023, arXiv:2306.06342). With K patients the cut-off is the smallest score s with sum over patients of the
share of their scores up to s, divided by K + 1, of at least `coverage`; with fewer than coverage / (1 - coverage)
there is none: `TOO_FEW`.

Shapes: n records, k labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PRESENT, ABSENT, EITHER, NEITHER, TOO_FEW = "present", "absent", "either", "neither", "too few"


@dataclass(frozen=True)
class Conformal:
    """Cut-offs of calibrated probabilities.

    Attributes
    ----------
    coverage : float
        What is promised of patients with, and of patients without a label.
    present_from, absent_to : tuple of (float or None)
        By label: "there" is in the set from this probability on, "not there" up to that; None: too few patients.
    positives, negatives : tuple of int
        Validation patients that each stands on.
    """

    coverage: float
    present_from: tuple[float | None, ...]
    absent_to: tuple[float | None, ...]
    positives: tuple[int, ...]
    negatives: tuple[int, ...]

    def contains(self, probability_nk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether "there" and "not there" are in the sets, two arrays of bool (n, k); False where too few."""
        said = probability_nk.astype(np.float64)
        low = np.array([np.inf if cut is None else cut for cut in self.present_from])
        high = np.array([-np.inf if cut is None else cut for cut in self.absent_to])
        return said >= low, said <= high

    @property
    def known(self) -> np.ndarray:
        """Labels that have sets, bool (k,)."""
        pairs = zip(self.present_from, self.absent_to, strict=True)
        return np.array([None not in pair for pair in pairs])


def fit_conformal(
    target_nk: np.ndarray, probability_nk: np.ndarray, patients: np.ndarray, coverage: float
) -> Conformal:
    """Choose cut-offs by the records of the validation split.

    Parameters
    ----------
    target_nk : ndarray, shape (n, k)
        1, 0, NaN unknown.
    probability_nk : ndarray, shape (n, k)
        Calibrated.
    patients : ndarray of str, shape (n,)
    coverage : float
        Between 0 and 1.
    """
    cuts: dict[int, list[float | None]] = {1: [], 0: []}
    counts: dict[int, list[int]] = {1: [], 0: []}
    for target, probability in zip(target_nk.T, probability_nk.T.astype(np.float64), strict=True):
        for truth, sign in ((1, -1.0), (0, 1.0)):
            own = target == truth
            score, count = _quantile(sign * probability[own], patients[own], coverage)
            cuts[truth].append(None if score is None else sign * score)
            counts[truth].append(count)
    return Conformal(coverage, tuple(cuts[1]), tuple(cuts[0]), tuple(counts[1]), tuple(counts[0]))


def _quantile(score: np.ndarray, patients: np.ndarray, coverage: float) -> tuple[float | None, int]:
    """Smallest score up to which `coverage` lies, a new patient counted as infinite; and the number of patients."""
    names, patient_of = np.unique(patients, return_inverse=True)
    weight = 1.0 / np.bincount(patient_of)[patient_of] if len(names) else np.empty(0)
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(weight[order]) >= coverage * (len(names) + 1) - 1e-9
    return (float(score[order][reached.argmax()]) if reached.any() else None), len(names)


def set_names(conformals: Sequence[Conformal], probability_mnk: np.ndarray) -> np.ndarray:
    """Sets of records by name, shape (n, k); of an ensemble what any of its models has in its own.

    Such a union keeps the promise that each of them makes.

    Parameters
    ----------
    conformals : sequence of Conformal
        One of each model.
    probability_mnk : ndarray, shape (models, n, k)
        Calibrated, of each model.
    """
    pairs = [one.contains(said) for one, said in zip(conformals, probability_mnk, strict=True)]
    there, absent = (np.any([pair[side] for pair in pairs], axis=0) for side in (0, 1))
    names = np.array([[NEITHER, ABSENT], [PRESENT, EITHER]], dtype=object)[there.astype(int), absent.astype(int)]
    names[:, ~np.all([one.known for one in conformals], axis=0)] = TOO_FEW
    return names
