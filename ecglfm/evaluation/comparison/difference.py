"""Whether two encoders differ by more than chance: that of the test patients, and that of the trainings.

The error of a difference has parts. That of the patients is the sum of squares of what each patient adds (`influence`),
of those who have a label and of the others; that of the trainings is what the seeds of an encoder differ by, divided by
their number. Each part is known as well as its degrees of freedom say, badly from five patients or three seeds, so they
are not poured into one variance: the margin of the difference is the root of the sum of their squared margins, each of
its own t (Zou and Donner 2008, doi:10.1002/sim.3095, after Howe 1974). One variance with Satterthwaite's degrees of
freedom calls too often, and far too often at the small levels that many comparisons ask for.
`ecglfm benchmark comparisons` measures both kinds of error.

Shapes: l labels, p patients, k seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

#: Smallest p that is told apart from others.
SMALLEST = 1e-15


@dataclass(frozen=True)
class Spread:
    """One part of the error of a difference.

    Attributes
    ----------
    variance : float
    freedom : float
        Degrees of freedom of the variance.
    """

    variance: float
    freedom: float

    def margin(self, p: float) -> float:
        """Half the width of an interval of coverage 1 - p, squared."""
        return float(stdtrit(self.freedom, p / 2) ** 2 * self.variance) if self.variance > 0 else 0.0


def patient_spreads(terms_lp: np.ndarray, class_lp: np.ndarray) -> list[Spread]:
    """Error of the mean of some labels' differences through the choice of patients.

    Parameters
    ----------
    terms_lp : ndarray, shape (l, p)
        What each patient adds to each label's difference, sums of `influence` by patient.
    class_lp : ndarray of int, shape (l, p)
        1 of a patient who has the label, 0 of another, -1 where nothing is known.

    Returns
    -------
    list of Spread
        Of the patients who have one of the labels, and of the others. In a class of m patients squares are multiplied
        by m / (m - 1), as variances are; the degrees of freedom are m - 1 and, of several labels, Satterthwaite's
        (1946, doi:10.2307/3002019), each patient counted by the share of the variance that his classes give him.
    """
    corrected, share_p = np.zeros(terms_lp.shape), np.zeros(terms_lp.shape[1])
    for terms, classes, out in zip(terms_lp, class_lp, corrected, strict=True):
        for code in (0, 1):
            own = classes == code
            count = int(own.sum())
            if count:
                out[own] = terms[own] * math.sqrt(count / max(count - 1, 1))
                share_p[own] += (out[own] ** 2).mean()
    added_p, has_p = corrected.mean(axis=0), (class_lp == 1).any(axis=0)
    spreads = []
    for own in (has_p, ~has_p):
        squares = float((share_p[own] ** 2).sum())
        if squares > 0:
            freedom = max(1.0, float(share_p[own].sum()) ** 2 / squares - 1)
            spreads.append(Spread(float((added_p[own] ** 2).sum()), freedom))
    return spreads


def training_spread(values: Sequence[np.ndarray]) -> Spread | None:
    """Error of the difference of two means over seeds through the trainings; None where an encoder has one seed only.

    Parameters
    ----------
    values : two ndarrays, shape (k,)
        The metric of each seed of each encoder. Their spread holds, beside that of the trainings, the part of the
        patients' that the seeds do not share, so that it is rather too large.
    """
    if min(map(len, values)) < 2:
        return None
    parts = [float(np.var(own, ddof=1)) / len(own) for own in values]
    lost = sum(part**2 / (len(own) - 1) for part, own in zip(parts, values, strict=True))
    return Spread(sum(parts), sum(parts) ** 2 / lost if lost > 0 else 1.0)


def margin(spreads: Sequence[Spread], confidence: float) -> float:
    """Half the width of the interval of a difference."""
    return math.sqrt(sum(spread.margin(1 - confidence) for spread in spreads))


def p_value(difference: float, spreads: Sequence[Spread]) -> float:
    """Two-sided p: the level at which the interval of the difference ends at 0; NaN of one that never varies."""
    if abs(difference) < 1e-12:
        return 1.0
    if sum(spread.variance for spread in spreads) < 1e-24:
        return math.nan

    def beyond(logarithm: float) -> float:
        return sum(spread.margin(10**logarithm) for spread in spreads) - difference**2

    lowest = math.log10(SMALLEST)
    if beyond(lowest) <= 0:
        return SMALLEST
    return float(10 ** brentq(beyond, lowest, 0.0, xtol=1e-9))


def holm(p: Sequence[float]) -> np.ndarray:
    """Adjusted p of a family of tests: at most a share alpha of families has a false one below alpha.

    Holm 1979 (Scandinavian Journal of Statistics 6:65), whatever the tests depend on each other.

    Parameters
    ----------
    p : sequence of float
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)))
    return adjusted
