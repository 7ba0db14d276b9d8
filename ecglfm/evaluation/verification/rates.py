"""Error rates of a verification, from the scores of genuine and impostor pairs, with intervals over patients.

A pair is called a match where its score reaches a threshold. The false match rate (FMR) is the share of impostor pairs
that match, the false non-match rate (FNMR) that of genuine pairs that do not (ISO/IEC 19795-1). All is computed from
weights of patients: 1 for the value itself, how often each was drawn for a resample. A genuine pair counts as often as
its patient, an impostor pair as often as the product of its two, so that pairs with a patient in common come and go
together; a patient who is drawn twice makes no genuine pair with himself.

Sources are measured one by one, and together by the mean over their genuine pairs: impostor pairs are of one source, so
scores of two databases are never set against each other, and databases cannot be told apart instead of people.

Shapes: g genuine pairs, i impostor pairs, p patients, r resamples, k distinct genuine scores, v = 2 k + 1 segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ecglfm.config.wording import counted
from ecglfm.evaluation.metrics import Metric, PatientWeights, entry_of, nothing

#: FMR at which FNMR is given.
FMR_POINTS = {"fnmr_at_fmr_1pct": 0.01, "fnmr_at_fmr_0_1pct": 0.001}
#: Rows of `error_rates`. An AUROC stands on the patients of genuine pairs twice over, as both its classes.
MEASURES = {
    name: Metric(name=name, title=title, of=itemgetter(row), smaller=name != "auroc", support=support)
    for row, (name, title, support) in enumerate(
        [
            ("auroc", "AUROC", ("genuine", "genuine")),
            ("eer", "EER", ("genuine",)),
            ("fnmr_at_fmr_1pct", "FNMR at FMR 1 %", ("genuine",)),
            ("fnmr_at_fmr_0_1pct", "FNMR at FMR 0.1 %", ("genuine",)),
        ]
    )
}
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

    def by_source(self, source: np.ndarray) -> dict[str, Scores]:
        """The same for each source, given that of each patient, shape (p,)."""
        genuine, impostor = source[self.genuine_patient], source[self.impostor_patients[0]]
        return {
            name: Scores(
                self.genuine[genuine == name],
                self.impostor[impostor == name],
                self.genuine_patient[genuine == name],
                self.impostor_patients[:, impostor == name],
                self.patients,
            )
            for name in sorted({*source})
        }

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


def auroc(strata: Mapping[str, Scores]) -> float:
    """AUROC of all sources, every patient counting once; NaN where none has genuine and impostor pairs."""
    measured = _usable(strata)
    values = [error_rates(scores, np.ones((scores.patients, 1)))[:1] for scores in measured.values()]
    return float(_together(measured, np.stack(values))[0, 0]) if values else float("nan")


def _usable(strata: Mapping[str, Scores]) -> dict[str, Scores]:
    """Sources with both sorts of pairs."""
    return {name: scores for name, scores in strata.items() if len(scores.genuine) and len(scores.impostor)}


def _together(strata: Mapping[str, Scores], values_smr: np.ndarray) -> np.ndarray:
    """Mean over the sources in which a measure is defined, weighted by genuine pairs; shape (measures, r)."""
    weight_s = np.array([len(scores.genuine) for scores in strata.values()], float)[:, None, None]
    defined = ~np.isnan(values_smr)
    total = (weight_s * defined).sum(axis=0)
    summed = (weight_s * np.where(defined, values_smr, 0)).sum(axis=0)
    return np.divide(summed, total, out=np.full(summed.shape, np.nan), where=total > 0)


def resampled_rates(strata: Mapping[str, Scores], resamples: int, seed: int) -> np.ndarray:
    """`MEASURES` of each source in resamples of the patients of all, shape (sources, measures, resamples).

    A resample without a genuine or an impostor pair in any source is drawn again.
    """
    (patients,) = {scores.patients for scores in strata.values()}
    out = np.full((len(strata), len(MEASURES), resamples), np.nan)
    most = max(len(scores.genuine) for scores in strata.values())
    together = max(1, min(_RESAMPLES_TOGETHER, _POINTS_TOGETHER // (2 * most)))
    for start in range(0, resamples, together):
        weights = PatientWeights(np.arange(patients), seed)  # anew, because it keeps what it has drawn
        lacking = np.arange(start, min(start + together, resamples))
        for attempt in range(_ATTEMPTS):
            weight_pr = weights(lacking, attempt)
            for number, scores in enumerate(strata.values()):
                out[number][:, lacking] = error_rates(scores, weight_pr)
            lacking = lacking[np.isnan(out[:, 0, lacking]).all(axis=0)]
            if not len(lacking):
                break
    return out


def measure(
    strata: Mapping[str, Scores], *, resamples: int, confidence: float, seed: int, min_patients: int
) -> dict[str, Any]:
    """`MEASURES` with intervals, as entries of `metrics.json`; null with a reason where undefined.

    What stands behind a value are patients with pairs of one person, of whom there are fewer than of pairs of two:
    AUROC has the interval of an area of as many in both classes, the rates have that of a share of them.

    Parameters
    ----------
    strata : mapping of str to Scores
        Of each source, with the same numbers of patients.
    resamples : int
        Of patients.
    confidence : float
        Coverage, e.g. 0.95.
    seed : int
        Of the resampling.
    min_patients : int
        Patients with pairs of one person that an interval needs; with fewer the entry is `too few`.

    Returns
    -------
    dict
        `overall`, and `sources` by name: those with pairs of both sorts.
    """
    measured = _usable(strata)
    if not measured:
        reason = "no recordings of one patient of the test split, copies left out, can be compared"
        if any(len(scores.genuine) for scores in strata.values()):
            reason = "no source has recordings of two patients in the test split"
        return {"overall": {name: nothing(reason) for name in MEASURES}, "sources": {}}
    points = np.stack([error_rates(scores, np.ones((scores.patients, 1))) for scores in measured.values()])
    resampled = resampled_rates(measured, resamples, seed)
    reasons = {}
    for m, name in enumerate(MEASURES):
        needed = round(RULE_OF / FMR_POINTS[name]) if name in FMR_POINTS else 0
        reasons[name] = f"fewer than {needed} impostor pairs, which {RULE_OF} false matches need"
        few = np.array([len(scores.impostor) < needed for scores in measured.values()])
        points[few, m] = resampled[few, m] = np.nan

    def entries(point_m: np.ndarray, resampled_mr: np.ndarray, patients_m: np.ndarray) -> dict[str, Any]:
        found = {}
        columns = (MEASURES.items(), point_m, resampled_mr, patients_m.tolist())
        for (name, metric), value, values, patients in zip(*columns, strict=True):
            if np.isnan(value):
                found[name] = nothing(reasons[name])
                continue
            found[name] = entry_of(metric, float(value), values, (patients,) * len(metric.stands_on), confidence)
            if patients < min_patients:
                reason = f"too few: {counted(patients, 'patient')} with pairs of one person, {min_patients} are wanted"
                found[name] |= {"ci_low": None, "ci_high": None, "reason": reason}
        return found

    # Of each source, by measure: a source that has no value has no part in that of all.
    patients_sm = ~np.isnan(points[:, :, 0]) * np.array(
        [[len(np.unique(scores.genuine_patient))] for scores in measured.values()]
    )
    return {
        "overall": entries(_together(measured, points)[:, 0], _together(measured, resampled), patients_sm.sum(axis=0)),
        "sources": {name: entries(points[s, :, 0], resampled[s], patients_sm[s]) for s, name in enumerate(measured)},
    }
