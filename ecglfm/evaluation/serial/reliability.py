"""Within-person reliability: the intraclass correlation of one-way random effects, with an interval.

A value is x_ij = mu + a_i + e_ij, of patient i in recording j. The share of its variance that lies between patients,
var(a) / (var(a) + var(e)), is ICC(1) in case 1 of McGraw and Wong (1996, Psychological Methods 1:30,
doi:10.1037/1082-989X.1.1.30), ICC(1,1) of Shrout and Fleiss (1979, doi:10.1037/0033-2909.86.2.420):

    ICC = (MSB - MSW) / (MSB + (n0 - 1) MSW),    n0 = (N - sum of n_i^2 / N) / (k - 1)

of k patients with n_i of N recordings; n0 is n where all have n (Searle, Casella and McCulloch, Variance Components,
1992, section 3.6). ICC(A,1) wants raters who come again: the first and the second recording of one person have nothing
in common with those of the next. The ICC is near 0 where a person's recordings are as different as people are, and may
be found below it.

Its interval is Student's on the logarithm of MSB / MSW, near to normal, by resampled patients.

Shapes: p patients, d values of each recording (a score, or the dimensions of an embedding), r resamples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ecglfm.evaluation.metrics import LOG, scaled_interval


class Reliability(NamedTuple):
    """What recordings of the same people say of some values.

    Attributes
    ----------
    icc, ci_low, ci_high : ndarray, shape (d,)
        NaN where values do not vary at all, or too few patients stand behind an interval.
    within : ndarray, shape (d,)
        Standard deviation of a value within a person.
    median : tuple of float
        The median of `icc` over the d values, and its interval.
    patients, recordings : int
    """

    icc: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    within: np.ndarray
    median: tuple[float, float, float]
    patients: int
    recordings: int


class _Sums(NamedTuple):
    """What of each patient the mean squares are made from."""

    count_p: np.ndarray
    sum_pd: np.ndarray
    within_pd: np.ndarray  # squares about the patient's own mean

    def mean_squares(self, weight_pr: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Between and within patients, shape (d, r), and n0, shape (r,); a patient drawn twice is two."""
        patients_r, recordings_r = weight_pr.sum(axis=0), self.count_p @ weight_pr
        of_means_dr = (self.sum_pd**2 / self.count_p[:, None]).T @ weight_pr
        between_dr = of_means_dr - (self.sum_pd.T @ weight_pr) ** 2 / recordings_r
        within_dr = self.within_pd.T @ weight_pr
        n0_r = (recordings_r - (self.count_p**2) @ weight_pr / recordings_r) / (patients_r - 1)
        return between_dr / (patients_r - 1), within_dr / (recordings_r - patients_r), n0_r


def reliability(
    values: np.ndarray, patients: np.ndarray, *, resamples: int, confidence: float, seed: int, min_patients: int = 2
) -> Reliability:
    """Intraclass correlation of each value, of patients with several recordings.

    Parameters
    ----------
    values : ndarray, shape (n, d)
        Of each recording; none is NaN.
    patients : ndarray, shape (n,)
        Whose it is. Those with one recording are left out: they say nothing of what changes within a person.
    resamples, confidence, seed
        Of the interval.
    min_patients : int
        With fewer there is no interval.
    """
    names, patient_n, count_p = np.unique(patients, return_inverse=True, return_counts=True)
    several = (count_p > 1)[patient_n]
    if not several.all():
        return reliability(
            values[several], patients[several], resamples=resamples, confidence=confidence, seed=seed,
            min_patients=min_patients,
        )  # fmt: skip
    nan_d = np.full(values.shape[1], np.nan)
    if len(names) < 2:
        return Reliability(nan_d, nan_d, nan_d, nan_d, (np.nan, np.nan, np.nan), len(names), len(values))
    values = values - values.mean(axis=0)  # sums of squares lose no digits to a mean far from 0
    sums = _sums(values, patient_n, count_p)
    between_d1, within_d1, n0_1 = sums.mean_squares(np.ones((len(names), 1)))
    icc_d = _icc(between_d1, within_d1, n0_1)[:, 0]
    within_d = np.sqrt(within_d1[:, 0])
    middle = float(np.nanmedian(icc_d)) if np.isfinite(icc_d).any() else np.nan
    if len(names) < min_patients or np.isnan(middle):
        median = (middle, np.nan, np.nan)
        return Reliability(icc_d, nan_d, nan_d, within_d, median, len(names), len(values))
    draws = np.random.default_rng(seed).integers(len(names), size=(resamples, len(names)))
    weight_pr = np.stack([np.bincount(drawn, minlength=len(names)) for drawn in draws], axis=1).astype(np.float64)
    resampled_dr = _icc(*sums.mean_squares(weight_pr))
    low_d, high_d = _ends(icc_d, resampled_dr, float(n0_1[0]), len(names), confidence)
    medians_r = np.nanmedian(resampled_dr, axis=0)
    low, high = np.nanquantile(medians_r, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return Reliability(icc_d, low_d, high_d, within_d, (middle, low, high), len(names), len(values))


def _sums(values: np.ndarray, patient_n: np.ndarray, count_p: np.ndarray) -> _Sums:
    sum_pd = np.zeros((len(count_p), values.shape[1]))
    np.add.at(sum_pd, patient_n, values)
    within_pd = np.zeros_like(sum_pd)
    np.add.at(within_pd, patient_n, (values - (sum_pd / count_p[:, None])[patient_n]) ** 2)
    return _Sums(count_p.astype(np.float64), sum_pd, within_pd)


def _icc(between: np.ndarray, within: np.ndarray, n0: np.ndarray | float) -> np.ndarray:
    """ICC of mean squares; NaN where nothing varies."""
    total = between + (n0 - 1) * within
    return np.divide(between - within, total, out=np.full(np.shape(total), np.nan), where=total > 0)


def _ends(
    icc_d: np.ndarray, resampled_dr: np.ndarray, n0: float, patients: int, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the intervals: of the ratio of mean squares, put back into an ICC of `n0` recordings a patient."""
    low_d, high_d = np.full_like(icc_d, np.nan), np.full_like(icc_d, np.nan)
    for d in range(len(icc_d)):
        usable_r = np.isfinite(resampled_dr[d]) & (resampled_dr[d] < 1)
        if not np.isfinite(icc_d[d]) or usable_r.mean() < 0.5:
            continue
        ratio_r = _ratio(resampled_dr[d, usable_r], n0)
        found = scaled_interval(float(_ratio(icc_d[d], n0)), ratio_r, LOG, patients, confidence)
        if found is not None:
            low_d[d], high_d[d] = ((end - 1) / (end + n0 - 1) for end in found)
    return low_d, high_d


def _ratio(icc: np.ndarray | float, n0: float) -> np.ndarray:
    """MSB / MSW of an ICC with n0 recordings a patient."""
    return np.asarray((1 + (n0 - 1) * icc) / (1 - icc))
