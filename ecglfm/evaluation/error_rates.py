"""Error rates of a verification, from the scores of genuine and impostor pairs, with intervals over patients.

A pair is called a match where its score reaches a threshold. The false match rate (FMR) is the share of impostor pairs
that match, the false non-match rate (FNMR) that of genuine pairs that do not (ISO/IEC 19795-1). All is computed from
weights of patients: 1 for the value itself, how often each was drawn for a resample. A genuine pair counts as often as
its patient, an impostor pair as often as the product of its two, so that pairs with a patient in common come and go
together; a patient who is drawn twice makes no genuine pair with himself.

Shapes: g genuine pairs, i impostor pairs, p patients, r resamples, k distinct genuine scores, v = 2 k + 1 segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ecglfm.evaluation.bootstrap import PatientWeights, as_entry

#: FMR at which FNMR is given.
FMR_POINTS = {"fnmr_at_fmr_1pct": 0.01, "fnmr_at_fmr_0_1pct": 0.001}
MEASURES = ("auroc", "eer", *FMR_POINTS)
#: False matches that FNMR at an FMR must rest on (Doddington's rule of 30, ISO/IEC 19795-1).
RULE_OF = 30
_RESAMPLES_TOGETHER = 16
_POINTS_TOGETHER = 2**22  # of all resamples that are computed at once
_PAIRS_TOGETHER = 2**16  # their weights in so many resamples stay in a processor's cache
_ATTEMPTS = 200


@dataclass(frozen=True)
class Scores:
    """Scores of pairs and whose recordings they are.

    Attributes
    ----------
    genuine, impostor : ndarray, shape (g,), (i,)
        Scores; higher is more alike.
    genuine_patient : ndarray of int, shape (g,)
        Number of the patient, from 0.
    impostor_patients : ndarray of int, shape (2, i)
        Numbers of the two patients.
    patients : int
        How many there are.
    """

    genuine: np.ndarray
    impostor: np.ndarray
    genuine_patient: np.ndarray
    impostor_patients: np.ndarray
    patients: int

    @cached_property
    def genuine_sums(self) -> csr_array:
        """Matrix (k, p) from patients' weights to those of the distinct genuine scores, highest first."""
        distinct, place = np.unique(-self.genuine, return_inverse=True)
        shape = (len(distinct), self.patients)
        return csr_array((np.ones(len(place), np.int64), (place, self.genuine_patient)), shape=shape)

    @cached_property
    def sorted_impostors(self) -> tuple[np.ndarray, np.ndarray]:
        """Segment of each impostor pair, (i,), ascending, and its two patients, (2, i).

        Segment 2 m lies between the genuine scores m and m + 1, the highest being 1; segment 2 m - 1 is equal to m.
        """
        distinct = np.unique(self.genuine)
        below = np.searchsorted(distinct, self.impostor)
        equal = np.append(distinct, np.nan)[below] == self.impostor
        segment = 2 * (len(distinct) - below - equal) + equal
        order = np.argsort(segment, kind="stable")
        return segment[order], self.impostor_patients[:, order]


def _impostor_sums(scores: Scores, weight_pr: np.ndarray) -> np.ndarray:
    """Weights of the impostor pairs of each segment, shape (v, r)."""
    segments, patients = scores.sorted_impostors
    weight_pr = weight_pr.astype(np.float32)  # sums of a block are whole and below 2^24
    out = np.zeros((2 * scores.genuine_sums.shape[0] + 1, weight_pr.shape[1]), np.int64)
    for start in range(0, len(segments), _PAIRS_TOGETHER):
        block = slice(start, start + _PAIRS_TOGETHER)
        segment, (first, second) = segments[block], patients[:, block]
        weight_ir = weight_pr.take(first, axis=0)
        weight_ir *= weight_pr.take(second, axis=0)
        begins = np.flatnonzero(np.diff(segment, prepend=-1))
        runs = (np.ones(len(segment), np.float32), np.arange(len(segment)), np.append(begins, len(segment)))
        out[segment[begins]] += (csr_array(runs, shape=(len(begins), len(segment))) @ weight_ir).astype(np.int64)
    return out


def _matches(scores: Scores, weight_pr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the impostor and of the genuine pairs that match, whole numbers, shape (v + 1, r).

    A row per threshold at which either changes direction, from none to all. Between two genuine scores only impostor
    pairs are added, so that these need no thresholds of their own.
    """
    genuine_kr = np.cumsum(scores.genuine_sums @ weight_pr.astype(np.int64), axis=0)
    impostor_vr = np.cumsum(_impostor_sums(scores, weight_pr), axis=0)
    zero = np.zeros((1, weight_pr.shape[1]), np.int64)
    # Row 0, then the segments: above the first genuine score, equal to it, below it, equal to the second, …
    return np.concatenate([zero, impostor_vr]), np.concatenate([zero, zero, np.repeat(genuine_kr, 2, axis=0)])


def operating_points(scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """FMR and FNMR of every threshold of the polygon, every patient counting once, from (0, 1) to (1, 0).

    Returns
    -------
    fmr, fnmr : ndarray, shape (v + 1,)
    """
    false, true = _matches(scores, np.ones((scores.patients, 1)))
    return (false / false[-1])[:, 0], 1 - (true / true[-1])[:, 0]


def error_rates(scores: Scores, weight_pr: np.ndarray) -> np.ndarray:
    """`MEASURES` under weights of patients.

    AUROC is the area under the polygon, a tie counting one half. The equal error rate is where the polygon crosses
    FMR = FNMR. FNMR at an FMR is that of the lowest threshold whose FMR is not above it.

    Parameters
    ----------
    scores : Scores
    weight_pr : ndarray of int, shape (p, r)

    Returns
    -------
    ndarray, shape (measures, r)
        NaN where there is no impostor or no genuine pair.
    """
    false, true = _matches(scores, weight_pr)
    total = np.where((false[-1] > 0) & (true[-1] > 0), [false[-1], true[-1]], np.nan)
    # In whole numbers, so that the order of a sum cannot show.
    area = (np.diff(false, axis=0) * (true[1:] + true[:-1])).sum(axis=0) / (2 * total[0] * total[1])
    fmr, tmr = false / total[0], true / total[1]
    excess = fmr + tmr - 1  # FMR - FNMR, from -1 up to 1
    columns = np.arange(fmr.shape[1])
    behind = np.clip((excess < 0).sum(axis=0), 1, len(fmr) - 1)
    low, high = excess[behind - 1, columns], excess[behind, columns]
    eer = fmr[behind - 1, columns] - low / (high - low) * (fmr[behind, columns] - fmr[behind - 1, columns])
    fnmr = []
    for limit in FMR_POINTS.values():
        reached = (fmr[2::2] <= limit * (1 + 1e-12)).sum(axis=0)  # thresholds at a genuine score
        fnmr.append(1 - tmr[2 * reached, columns])
    return np.stack([area, eer, *fnmr])


def auroc(scores: Scores) -> float:
    """AUROC alone, every patient counting once; NaN without genuine or impostor pairs."""
    if not len(scores.genuine) or not len(scores.impostor):
        return float("nan")
    return float(error_rates(scores, np.ones((scores.patients, 1)))[0, 0])


def resampled_rates(scores: Scores, resamples: int, seed: int) -> np.ndarray:
    """`MEASURES` in resamples of patients, shape (measures, resamples).

    A resample without a genuine or an impostor pair is drawn again.
    """
    weights = PatientWeights(np.arange(scores.patients), seed)
    out = np.full((len(MEASURES), resamples), np.nan)
    together = max(1, min(_RESAMPLES_TOGETHER, _POINTS_TOGETHER // (2 * len(scores.genuine))))
    for start in range(0, resamples, together):
        lacking = np.arange(start, min(start + together, resamples))
        for attempt in range(_ATTEMPTS):
            out[:, lacking] = error_rates(scores, weights(lacking, attempt))
            lacking = lacking[np.isnan(out[0, lacking])]
            if not len(lacking):
                break
    return out


def measure(scores: Scores, *, resamples: int, confidence: float, seed: int) -> dict[str, Any]:
    """`MEASURES` with percentile intervals, as entries of `metrics.json`; null with a reason where undefined."""
    lacking = None
    if not len(scores.genuine):
        lacking = "no patient of the test split has two recordings"
    elif not len(scores.impostor):
        lacking = "no two patients of one source are in the test split"
    none = np.full(len(MEASURES), np.nan)
    points = none if lacking else error_rates(scores, np.ones((scores.patients, 1)))[:, 0]
    resampled = none[:, None] if lacking else resampled_rates(scores, resamples, seed)
    entries = {}
    for name, value, values in zip(MEASURES, points, resampled, strict=True):
        needed = round(RULE_OF / FMR_POINTS[name]) if name in FMR_POINTS else 0
        few = len(scores.impostor) < needed
        reason = lacking or f"{len(scores.impostor)} impostor pairs, {needed} are needed for {RULE_OF} false matches"
        entries[name] = as_entry(np.nan if few else value, values, confidence, reason)
    return entries
