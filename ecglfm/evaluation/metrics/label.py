"""What metrics of one label are made of, weighted and for many weightings at once.

`Cases` holds it; the metrics themselves are declared in `class_metrics.py`. Every metric is computed from a matrix of
record weights `(records, resamples)`: the value itself is one column of ones, a bootstrap is one column per resample.
One code path gives both, so an interval can never belong to another formula than its value. Undefined is NaN here and
null with a reason in `metrics.json`.

Shapes: n records, c cases, r weightings (resamples), l labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

#: Bins of the expected calibration error, of equal width (as Guo et al. 2017).
ECE_BINS = 15


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
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
    auroc = 1 - ratio(discordant, positives * negatives)
    precision_kr = np.nan_to_num(ratio(tp_kr, all_kr))
    auprc = ratio(np.einsum("kr,kr->r", pos_kr, precision_kr), positives)
    return {"auroc": auroc, "auprc": np.where(negatives > 0, auprc, np.nan)}


def _segment_sums(record: np.ndarray, starts: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
    """Sums of the weights of runs of cases, shape (len(starts), r); a run ends where the next one starts."""
    pointers = np.append(starts, len(record))
    cases = csr_array((np.ones(len(record)), record, pointers), shape=(len(starts), len(weight_nr)))
    return cases @ weight_nr


def count_columns(target: np.ndarray, probability: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """What each record adds to the sums that the metrics of a decision are ratios of.

    Sums over records, resamples or labels of these columns are what `Cases` has.

    Parameters
    ----------
    target : ndarray, shape (n,)
        1 positive, 0 negative; no NaN.
    probability : ndarray, shape (n,)
        Between 0 and 1.
    threshold : float or ndarray, shape (n,)
        Of the model that predicted the record, chosen on its validation split.

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


def chance_gaps(probability: np.ndarray) -> np.ndarray:
    """Standard deviation of `Cases.gaps` of independent records whose probabilities are right, (ECE_BINS,)."""
    variance = np.bincount(_bins(probability), probability * (1 - probability), minlength=ECE_BINS)
    return np.sqrt(variance) / max(len(probability), 1)


@dataclass(frozen=True)
class Cases:
    """Cases of one label, or of all labels together: what is true, what was said, and how often each counts.

    What several metrics need is computed once.

    Attributes
    ----------
    target : ndarray, shape (c,)
        1 positive, 0 negative; no NaN.
    probability : ndarray, shape (c,)
        Between 0 and 1.
    threshold : ndarray, shape (c,), or float
        Of the model that predicted the record, chosen on its validation split.
    weight_nr : ndarray, shape (n, r)
        How often each record counts.
    record : ndarray of int, shape (c,), optional
        Row of `weight_nr` of each case, where a record is more than one case.
    columns : ndarray, optional
        `count_columns` by record, where they are summed already.
    uncalibrated : Cases, optional
        The same before a calibration, where there was one.
    """

    target: np.ndarray
    probability: np.ndarray
    threshold: np.ndarray | float
    weight_nr: np.ndarray
    record: np.ndarray | None = None
    columns: np.ndarray | None = None
    uncalibrated: Cases | None = None

    @classmethod
    def pooled(
        cls,
        targets_nl: np.ndarray,
        probability_nl: np.ndarray,
        threshold_nl: np.ndarray,
        weight_nr: np.ndarray,
        *,
        known_nl: np.ndarray,
        uncalibrated: Cases | None = None,
    ) -> Cases:
        """Cases of every record and those of its labels that are known, each a case of its own."""
        columns = np.zeros((6 + ECE_BINS, len(targets_nl)))
        for label in np.flatnonzero(known_nl.any(axis=0)):
            rows = known_nl[:, label]
            of_label = (table[rows, label] for table in (targets_nl, probability_nl, threshold_nl))
            columns[:, rows] += count_columns(*of_label)
        target, probability, threshold = (table[known_nl] for table in (targets_nl, probability_nl, threshold_nl))
        record = np.nonzero(known_nl)[0]
        return cls(target, probability, threshold, weight_nr, record, columns, uncalibrated)

    @property
    def raw(self) -> Cases:
        """The same with the probabilities as they came from the model."""
        return self if self.uncalibrated is None else self.uncalibrated

    @cached_property
    def ranking(self) -> dict[str, np.ndarray]:
        """`auroc` and `auprc`."""
        return ranking_metrics(self.target, self.probability, self.weight_nr, self.record)

    @cached_property
    def counts(self) -> np.ndarray:
        """Weighted sums of `count_columns`, shape (6 + ECE_BINS, r)."""
        columns = self.columns
        if columns is None:
            columns = count_columns(self.target, self.probability, self.threshold)
        return columns @ self.weight_nr

    @property
    def decided(self) -> np.ndarray:
        """True positives, false positives, false negatives and true negatives at the threshold, shape (4, r)."""
        return self.counts[:4]

    @property
    def squared(self) -> np.ndarray:
        """Sum of squared errors of the probability, shape (r,)."""
        return self.counts[4]

    @property
    def total(self) -> np.ndarray:
        """How many there are, shape (r,)."""
        return self.counts[5]

    @property
    def gap_sums(self) -> np.ndarray:
        """Sum of target - probability in each bin, shape (ECE_BINS, r)."""
        return self.counts[6:]

    @property
    def gaps(self) -> np.ndarray:
        """Gap of each bin times its share of the records, shape (ECE_BINS, r)."""
        return ratio(self.gap_sums, self.total)

    @property
    def chance_gaps(self) -> np.ndarray:
        """What each gap varies by at least, shape (ECE_BINS,)."""
        return chance_gaps(self.probability)


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
    recall_lr = ratio((targets_nl * hit[:, None]).T @ weight_nr, targets_nl.T @ weight_nr)
    occurs = ~np.isnan(recall_lr)
    return {
        "accuracy": ratio(hit @ weight_nr, weight_nr.sum(axis=0)),
        "balanced_accuracy": ratio(np.nansum(recall_lr, axis=0), occurs.sum(axis=0)),
    }


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
