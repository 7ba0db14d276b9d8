"""Two numbers of a genome-wide scan: how far it is inflated, and how many tests its traits amount to."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

#: Median of chi-square with one degree of freedom.
MEDIAN = 0.4549
#: Genome-wide significance of one trait: 0.05 for a million independent common variants (Pe'er et al. 2008).
GENOME_WIDE = 5e-8


def genomic_inflation(p: np.ndarray) -> float:
    """Genomic inflation factor lambda: median chi-square over that of no association (Devlin and Roeder 1999).

    Parameters
    ----------
    p : ndarray of float
        P-values of all variants; NaN: not tested.

    Returns
    -------
    float
        NaN without variants.
    """
    known = p[np.isfinite(p)]
    # the median of P, then its chi-square: the same for a monotone transform, and one quantile, not ten million
    return float(stats.chi2.isf(np.median(known), 1) / MEDIAN) if len(known) else float("nan")


def effective_number(traits_nt: np.ndarray) -> float:
    """Number of independent traits that correlated ones amount to (Li and Ji 2005, doi:10.1038/sj.hdy.6800717).

    Of the eigenvalues of their correlations each counts 1 where it is at least 1, and what is beyond a whole number.

    Parameters
    ----------
    traits_nt : ndarray of float, shape (people, traits)
        None constant. Of two the correlation is that of the people who have both; 0 where nobody has.
    """
    if np.isnan(traits_nt).any():
        correlations = pd.DataFrame(traits_nt).corr().fillna(0.0).to_numpy()
    else:
        correlations = np.atleast_2d(np.corrcoef(traits_nt, rowvar=False))
    values = np.abs(np.linalg.eigvalsh(correlations)).round(9)  # 1 is 1
    return float(((values >= 1) + (values - np.floor(values))).sum())


def corrected_threshold(effective: float) -> float:
    """Genome-wide significance over so many independent traits (Bonferroni's)."""
    return GENOME_WIDE / max(effective, 1.0)
