"""Metrics of one label against known truth, weighted and for many weightings at once.

Every metric is computed from a matrix of record weights `(records, resamples)`: the value itself is one
column of ones, a bootstrap is one column per resample. One code path gives both, so an interval can never
belong to another formula than its value. Undefined is NaN here and null with a reason in `metrics.json`.

Shapes: n records, r weightings (resamples), l labels.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

#: Keys of a label's metrics, in the order of reports.
CLASS_METRICS = ("auroc", "auprc", "f1", "sensitivity", "specificity", "ppv", "npv", "brier", "ece")
#: Bins of the expected calibration error, of equal width (as Guo et al. 2017).
ECE_BINS = 15


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """`above / below`, NaN where `below` is 0."""
    out = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def ranking_metrics(
    target: np.ndarray, score: np.ndarray, weight_nr: np.ndarray, record: np.ndarray | None = None
) -> dict[str, np.ndarray]:
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
    record : ndarray of int, shape (n,), optional
        Row of `weight_nr` of each case, where a record is more than one case.

    Returns
    -------
    dict of ndarray, shape (r,)
        `auroc`, `auprc`; NaN where a weighting holds no positive or no negative.
    """
    if not (target > 0).any():
        return dict.fromkeys(("auroc", "auprc"), np.full(weight_nr.shape[1], np.nan))
    order = np.argsort(-score, kind="stable")
    score, positive = score[order], target[order] > 0
    record = order if record is None else record[order]
    ends = np.flatnonzero(np.append(score[1:] != score[:-1], True))  # last case of each tie, best score first
    tie = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))

    # Only ties that hold a positive contribute to either area, and rare labels have few of them.
    held = np.unique(tie[positive])
    first, last = np.where(held > 0, ends[held - 1] + 1, 0), ends[held]
    pos_kr = _segment_sums(record[positive], np.flatnonzero(np.diff(tie[positive], prepend=-1)), weight_nr)
    cuts = np.unique(np.concatenate([[0], first, last[last < len(score) - 1] + 1]))
    above_sr = np.zeros((len(cuts) + 1, weight_nr.shape[1]))  # row s: all before cut s; the last row: all
    np.cumsum(_segment_sums(record, cuts, weight_nr), axis=0, out=above_sr[1:])
    all_kr = above_sr[np.searchsorted(cuts, last, side="right")]
    tp_kr = np.cumsum(pos_kr, axis=0)
    fp_kr = all_kr - tp_kr
    before_kr = above_sr[np.searchsorted(cuts, first)] - (tp_kr - pos_kr)  # negatives strictly above

    positives = tp_kr[-1]
    negatives = above_sr[-1] - positives
    discordant = np.einsum("kr,kr->r", pos_kr, (fp_kr + before_kr) / 2)
    auroc = 1 - _ratio(discordant, positives * negatives)
    precision_kr = np.nan_to_num(_ratio(tp_kr, all_kr))
    auprc = _ratio(np.einsum("kr,kr->r", pos_kr, precision_kr), positives)
    return {"auroc": auroc, "auprc": np.where(negatives > 0, auprc, np.nan)}


def _segment_sums(record: np.ndarray, starts: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
    """Sums of the weights of runs of cases, shape (len(starts), r); a run ends where the next one starts."""
    pointers = np.append(starts, len(record))
    cases = csr_array((np.ones(len(record)), record, pointers), shape=(len(starts), len(weight_nr)))
    return cases @ weight_nr


def count_columns(target: np.ndarray, probability: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """What each record adds to the sums that the metrics of a decision are ratios of.

    Sums over records, resamples or labels of these columns are what `from_counts` reads.

    Parameters
    ----------
    target, probability, threshold
        As in `threshold_metrics`.

    Returns
    -------
    ndarray, shape (6 + ECE_BINS, n)
        True positives, false positives, false negatives, true negatives, squared error, 1, and in the row of the
        probability's bin target - probability.
    """
    positive, called = target > 0, probability >= threshold
    gap = target - probability
    bins = _bins(probability)
    columns = np.zeros((6 + ECE_BINS, len(target)))
    columns[:6] = positive & called, ~positive & called, positive & ~called, ~positive & ~called, gap**2, gap == gap
    columns[6 + bins, np.arange(len(target))] = gap
    return columns


def _bins(probability: np.ndarray) -> np.ndarray:
    """Bin of each probability: ((m - 1) / M, m / M], and 0 belongs to the first."""
    return np.clip(np.ceil(probability * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)


def gaps_from_counts(counts_cr: np.ndarray) -> np.ndarray:
    """Gap of each bin times its share of the records, shape (ECE_BINS, r): `ece` is their absolute sum."""
    return _ratio(counts_cr[6:], counts_cr[5])


def chance_gaps(probability: np.ndarray) -> np.ndarray:
    """Standard deviation of `gaps_from_counts` of independent records whose probabilities are right, (ECE_BINS,)."""
    variance = np.bincount(_bins(probability), probability * (1 - probability), minlength=ECE_BINS)
    return np.sqrt(variance) / max(len(probability), 1)


def from_counts(counts_cr: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of a decision from weighted sums of `count_columns`, shape (6 + ECE_BINS, r)."""
    tp, fp, fn, tn, squared, total = counts_cr[:6]
    return {
        "f1": np.where(tp + fn > 0, _ratio(2 * tp, 2 * tp + fp + fn), np.nan),
        "sensitivity": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "ppv": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "brier": _ratio(squared, total),
        "ece": _ratio(np.abs(counts_cr[6:]).sum(axis=0), total),
    }


def threshold_metrics(
    target: np.ndarray, probability: np.ndarray, threshold: np.ndarray | float, weight_nr: np.ndarray
) -> dict[str, np.ndarray]:
    """Metrics of the decision `probability >= threshold`, and how far the probability itself can be believed.

    Parameters
    ----------
    target : ndarray, shape (n,)
        1 positive, 0 negative; no NaN.
    probability : ndarray, shape (n,)
        Between 0 and 1.
    threshold : float or ndarray, shape (n,)
        Of the model that predicted the record, chosen on its validation split.
    weight_nr : ndarray, shape (n, r)
        How often each record counts.

    Returns
    -------
    dict of ndarray, shape (r,)
        `f1` (2 TP / (2 TP + FP + FN)), `sensitivity`, `specificity`, `ppv`, `npv`, `brier` (mean squared
        error of the probability, Brier 1950) and `ece` (expected calibration error: mean over records of
        |share of positives - mean probability| in the record's bin of 15 equally wide ones, Guo et al. 2017,
        arXiv:1706.04599, taken of the label's own probability rather than of the top class's); NaN where the
        denominator is 0, and for F1 where there is no positive.
    """
    return from_counts(count_columns(target, probability, threshold) @ weight_nr)


def label_metrics(
    target: np.ndarray, probability: np.ndarray, threshold: np.ndarray | float, weight_nr: np.ndarray
) -> dict[str, np.ndarray]:
    """Every metric of `CLASS_METRICS` for one label; arguments as in `threshold_metrics`."""
    return ranking_metrics(target, probability, weight_nr) | threshold_metrics(
        target, probability, threshold, weight_nr
    )


def accuracy_metrics(
    targets_nl: np.ndarray, probabilities_nl: np.ndarray, weight_nr: np.ndarray
) -> dict[str, np.ndarray]:
    """Metrics of the most probable class where exactly one is true; of equally probable ones the first counts.

    Parameters
    ----------
    targets_nl, probabilities_nl : ndarray, shape (n, l)
        One-hot; probabilities of the classes.
    weight_nr : ndarray, shape (n, r)

    Returns
    -------
    dict of ndarray, shape (r,)
        `accuracy`, and `balanced_accuracy`: the mean sensitivity over the classes that occur.
    """
    hit = (targets_nl.argmax(axis=1) == probabilities_nl.argmax(axis=1)).astype(np.float64)
    recall_lr = _ratio((targets_nl * hit[:, None]).T @ weight_nr, targets_nl.T @ weight_nr)
    occurs = ~np.isnan(recall_lr)
    return {
        "accuracy": _ratio(hit @ weight_nr, weight_nr.sum(axis=0)),
        "balanced_accuracy": _ratio(np.nansum(recall_lr, axis=0), occurs.sum(axis=0)),
    }


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
