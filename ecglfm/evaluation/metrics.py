"""Metrics of one label against known truth, weighted and for many weightings at once.

Every metric is computed from a matrix of record weights `(records, resamples)`: the value itself is one
column of ones, a bootstrap is one column per resample. One code path gives both, so an interval can never
belong to another formula than its value. Undefined is NaN here and null with a reason in `metrics.json`.

Shapes: n records, r weightings (resamples), l labels.
"""

from __future__ import annotations

import numpy as np

#: Keys of a label's metrics, in the order of reports.
METRICS = ("auroc", "auprc", "f1", "sensitivity", "specificity", "ppv", "npv", "brier")


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """`above / below`, NaN where `below` is 0."""
    out = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def ranking_metrics(target: np.ndarray, score: np.ndarray, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
    """Area under the ROC curve and average precision, ties counted as ties.

    AUROC is the Mann-Whitney probability that a positive scores above a negative, a tie counting one half
    (Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747). Average precision is
    sum (R_k - R_{k-1}) P_k over the distinct scores, without interpolation, as scikit-learn defines it.

    Parameters
    ----------
    target : ndarray, shape (n,)
        1 positive, 0 negative; no NaN.
    score : ndarray, shape (n,)
        Higher is more positive.
    weight_nr : ndarray, shape (n, r)
        How often each record counts.

    Returns
    -------
    dict of ndarray, shape (r,)
        `auroc`, `auprc`; NaN where a weighting holds no positive or no negative.
    """
    if len(target) == 0:
        return dict.fromkeys(("auroc", "auprc"), np.full(weight_nr.shape[1], np.nan))
    order = np.argsort(-score, kind="stable")
    score, positive = score[order], target[order] > 0
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))  # last record of each tie, best score first
    tie = np.repeat(np.arange(len(last)), np.diff(last, prepend=-1))

    sorted_nr = weight_nr[order]
    all_gr = np.cumsum(sorted_nr, axis=0)[last]
    # Only ties that hold a positive contribute to either area, and rare labels have few of them.
    held = np.unique(tie[positive])
    first = np.flatnonzero(np.diff(tie[positive], prepend=-1))
    pos_kr = np.add.reduceat(sorted_nr[positive], first, axis=0) if len(held) else np.zeros((0, weight_nr.shape[1]))
    tp_kr = np.cumsum(pos_kr, axis=0)
    fp_kr = all_gr[held] - tp_kr
    before_kr = np.where(held[:, None] > 0, all_gr[held - 1], 0.0) - (tp_kr - pos_kr)  # negatives strictly above

    positives = pos_kr.sum(axis=0)
    negatives = weight_nr.sum(axis=0) - positives
    discordant = np.einsum("kr,kr->r", pos_kr, (fp_kr + before_kr) / 2)
    auroc = 1 - _ratio(discordant, positives * negatives)
    precision_kr = np.nan_to_num(_ratio(tp_kr, all_gr[held]))
    auprc = _ratio(np.einsum("kr,kr->r", pos_kr, precision_kr), positives)
    return {"auroc": auroc, "auprc": np.where(negatives > 0, auprc, np.nan)}


def threshold_metrics(
    target: np.ndarray, probability: np.ndarray, threshold: float, weight_nr: np.ndarray
) -> dict[str, np.ndarray]:
    """Metrics of the decision `probability >= threshold`, and the Brier score of the probability.

    Parameters
    ----------
    target : ndarray, shape (n,)
        1 positive, 0 negative; no NaN.
    probability : ndarray, shape (n,)
        Between 0 and 1.
    threshold : float
        Chosen on the validation split.
    weight_nr : ndarray, shape (n, r)
        How often each record counts.

    Returns
    -------
    dict of ndarray, shape (r,)
        `f1` (2 TP / (2 TP + FP + FN)), `sensitivity`, `specificity`, `ppv`, `npv`, `brier` (mean squared
        error of the probability, Brier 1950); NaN where the denominator is 0, and for F1 where there is
        no positive.
    """
    positive, called = target > 0, probability >= threshold
    columns = np.stack(
        [positive & called, ~positive & called, positive & ~called, ~positive & ~called, (probability - target) ** 2]
    ).astype(np.float64)
    tp, fp, fn, tn, squared = columns @ weight_nr
    return {
        "f1": np.where(tp + fn > 0, _ratio(2 * tp, 2 * tp + fp + fn), np.nan),
        "sensitivity": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "ppv": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "brier": _ratio(squared, weight_nr.sum(axis=0)),
    }


def label_metrics(
    target: np.ndarray, probability: np.ndarray, threshold: float, weight_nr: np.ndarray
) -> dict[str, np.ndarray]:
    """Every metric of `METRICS` for one label; arguments as in `threshold_metrics`."""
    return ranking_metrics(target, probability, weight_nr) | threshold_metrics(
        target, probability, threshold, weight_nr
    )


def undefined_reason(metric: str, target: np.ndarray) -> str:
    """Say in words why `metric` has no value on records with these (known) targets, shape (n,)."""
    if len(target) == 0:
        return "no test record with a known label"
    if not (target > 0).any() and metric in {"auroc", "auprc", "f1", "sensitivity"}:
        return "no positive test record"
    if (target > 0).all() and metric in {"auroc", "auprc", "specificity"}:
        return "no negative test record"
    if metric == "ppv":
        return "no record is called positive at the threshold"
    if metric == "npv":
        return "no record is called negative at the threshold"
    return "undefined"


def auroc(target: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve of one label; NaN targets are left out; NaN when a class is absent."""
    return _single(target, score, "auroc")


def auprc(target: np.ndarray, score: np.ndarray) -> float:
    """Average precision of one label; NaN targets are left out; NaN when a class is absent."""
    return _single(target, score, "auprc")


def _single(target: np.ndarray, score: np.ndarray, metric: str) -> float:
    known = ~np.isnan(np.asarray(target, dtype=np.float64))
    target, score = np.asarray(target, dtype=np.float64)[known], np.asarray(score, dtype=np.float64)[known]
    return float(ranking_metrics(target, score, np.ones((len(target), 1)))[metric][0])
