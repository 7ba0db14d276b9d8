"""A label's AUROC within strata: what a model still knows of recordings of the same device, site or year.

Of all pairs of a positive and a negative of one stratum, the share in which the positive scores higher, a tie counting
one half: A = sum_s C_s / sum_s m_s n_s, where stratum s has m_s positives and n_s negatives, of whose pairs C_s are in
order. It is the AUROC where there is one stratum. A score that knows the stratum only has 0.5 in it, however high its
pooled AUROC is. (Pairs are weighed alike; Janes and Pepe 2009, doi:10.1093/biomet/asp002, weigh positives alike.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ecglfm.config import EvaluateConfig
from ecglfm.config.wording import counted
from ecglfm.evaluation.comparison import margin, patient_spreads
from ecglfm.evaluation.metrics import auroc_influence, score_interval

_DIGITS = 12


def stratified_auroc(target: np.ndarray, score: np.ndarray, stratum: np.ndarray) -> tuple[float, np.ndarray, int]:
    """AUROC within strata, and what each record adds to its error.

    Parameters
    ----------
    target : ndarray, shape (n,)
        1 positive, 0 negative.
    score : ndarray, shape (n,)
    stratum : ndarray, shape (n,)

    Returns
    -------
    float
        NaN where no stratum has both classes.
    ndarray, shape (n,)
        First-order terms as those of `auroc_influence`: of a stratum's positive n_s (a - A) / N, where a is the share
        of the stratum's negatives below it and N the number of pairs of all strata; of its negatives likewise.
    int
        N.
    """
    order = np.unique(stratum, return_inverse=True)[1]
    ordered, pairs = 0.0, 0
    gained, weight = np.zeros(len(target)), np.zeros(len(target))  # of each record: its pairs, and those in order
    for number in range(order.max() + 1 if len(order) else 0):
        own = np.flatnonzero(order == number)
        positive = target[own] > 0
        m, n = int(positive.sum()), int((~positive).sum())
        if not m or not n:
            continue
        area, terms = auroc_influence(target[own], score[own])
        against = np.where(positive, n, m)
        weight[own], gained[own] = against, against * (terms * np.where(positive, m, n) + area)
        ordered, pairs = ordered + area * m * n, pairs + m * n
    if not pairs:
        return np.nan, np.zeros(len(target)), 0
    value = ordered / pairs
    return value, (gained - value * weight) / pairs, pairs


class Areas:
    """AUROCs of scores on the same records, with intervals over patients, and their differences.

    Parameters
    ----------
    target : ndarray, shape (n,)
        1 positive, 0 negative; none is unknown.
    patients : ndarray, shape (n,)
    config : EvaluateConfig
    """

    def __init__(self, target: np.ndarray, patients: np.ndarray, config: EvaluateConfig) -> None:
        self.target, self.config = target, config
        names, self.patient_of = np.unique(patients, return_inverse=True)
        self.classes = np.zeros((1, len(names)), np.int8)
        self.classes[0, self.patient_of[target > 0]] = 1

    def measure(self, score: np.ndarray, stratum: np.ndarray | None = None) -> tuple[dict[str, Any], np.ndarray]:
        """Entry of an AUROC, within strata where some are given, and what each patient adds to its error, (1, p)."""
        stratum = np.zeros(len(score), np.int8) if stratum is None else stratum
        value, terms, pairs = stratified_auroc(self.target, score, stratum)
        paired = np.isin(stratum, _with_both(self.target, stratum))
        entry, by_patient = self.entry(value, terms, paired, "no pair of a positive and a negative to compare")
        return entry | {"pairs": pairs}, by_patient

    def entry(
        self, value: float, terms: np.ndarray, paired: np.ndarray, without: str
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Entry of a value between 0 and 1, with the interval of the patients of records that are `paired`.

        Parameters
        ----------
        value : float
            NaN where there is nothing to compare.
        terms : ndarray, shape (n,)
            What each record adds to its error.
        paired : ndarray of bool, shape (n,)
        without : str
            Why there is no value.

        Returns
        -------
        dict
        ndarray, shape (1, patients)
        """
        by_patient = np.bincount(self.patient_of, terms, minlength=self.classes.shape[1])[None]
        entry: dict[str, Any] = {"value": None, "ci_low": None, "ci_high": None}
        if np.isnan(value):
            return entry | {"reason": without}, by_patient
        entry["value"] = round(float(value), _DIGITS)
        sides = [self.patient_of[paired & (self.target > 0)], self.patient_of[paired & (self.target <= 0)]]
        people = sorted(len(np.unique(side)) for side in sides)
        if people[0] < self.config.min_patients:
            fewer = f"{counted(people[0], 'patient')} of one class"
            return entry | {"reason": f"too few: {fewer}, {self.config.min_patients} are wanted"}, by_patient
        variance = sum(spread.variance for spread in patient_spreads(by_patient, self.classes))
        ends = score_interval(float(value), variance, (people[0], people[1]), self.config.confidence)
        if ends is not None:
            entry |= {"ci_low": round(ends[0], _DIGITS), "ci_high": round(ends[1], _DIGITS)}
        return entry, by_patient

    def difference(
        self, first: tuple[dict[str, Any], np.ndarray], second: tuple[dict[str, Any], np.ndarray]
    ) -> dict[str, Any]:
        """Entry of `first - second`, both as `measure` gives them; the interval is paired by patient."""
        entry = {"value": None, "ci_low": None, "ci_high": None}
        for measured, _ in (first, second):
            if measured["value"] is None:
                return entry | {"reason": measured["reason"]}
        value = first[0]["value"] - second[0]["value"]
        entry["value"] = round(value, _DIGITS)
        if reason := first[0].get("reason") or second[0].get("reason"):
            return entry | {"reason": reason}
        half = margin(patient_spreads(first[1] - second[1], self.classes), self.config.confidence)
        return entry | {"ci_low": round(value - half, _DIGITS), "ci_high": round(value + half, _DIGITS)}


def _with_both(target: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Strata that have positives and negatives."""
    return np.intersect1d(stratum[target > 0], stratum[target <= 0])
