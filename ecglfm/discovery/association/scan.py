"""One feature's scan, reduced to what loci and pictures are made of: of ten million variants some ten thousand points.

Everything with P up to 1e-3 stays. Of the rest one point stays in each cell of a grid that is finer than can be seen,
the one with the least P: the same points whatever the order of rows, and the picture of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ecglfm.discovery.summary import negative_log10_p, read_summary_statistics

#: All variants with a P up to this are drawn.
THINNED_ABOVE = 1e-3
_CELLS = 1000  # along the genome
_HIGH = 0.05  # of a cell, in -log10 P
_APART = 0.01  # of points of a QQ plot, in expected -log10 P


@dataclass(frozen=True)
class Scan:
    """What is kept of a scan.

    Attributes
    ----------
    candidates : DataFrame
        Rows of the summary statistics with small P.
    points : DataFrame
        `chromosome`, `base_pair_location`, `height` (-log10 P) for a Manhattan plot.
    quantiles : DataFrame
        `expected`, `observed` (-log10 P), `low`, `high` (95 % of uniform P) for a QQ plot.
    ends : Series
        Last position of each chromosome.
    """

    candidates: pd.DataFrame
    points: pd.DataFrame
    quantiles: pd.DataFrame
    ends: pd.Series


def read_scan(path: Path, *, secondary_p: float) -> Scan:
    """Reduce a GWAS-SSF file; candidates have a P up to `secondary_p`."""
    table = read_summary_statistics(path)
    height = pd.Series(negative_log10_p(table), index=table.index)
    places = table[["chromosome", "base_pair_location"]].assign(height=height)
    return Scan(
        table[table["p_value"] <= secondary_p].reset_index(drop=True),
        thinned(places),
        quantiles(height.to_numpy()),
        table.groupby("chromosome")["base_pair_location"].max(),
    )


def thinned(points: pd.DataFrame) -> pd.DataFrame:
    """Points that a Manhattan plot needs: see above.

    Parameters
    ----------
    points : DataFrame
        `chromosome`, `base_pair_location`, `height`.
    """
    points = points.reset_index(drop=True)  # of several scans a label would stand for a row of each
    low = points["height"] < -np.log10(THINNED_ABOVE)
    rest = points[low]
    ends = points.groupby("chromosome")["base_pair_location"].max()
    width = max(ends.sum() / _CELLS, 1)
    cells = pd.DataFrame(
        {
            "chromosome": rest["chromosome"],
            "x": (rest["base_pair_location"] // width).astype("int64"),
            "y": (rest["height"] // _HIGH).astype("int64"),
        }
    )
    order = rest.sort_values(["height", "chromosome", "base_pair_location"], ascending=[False, True, True]).index
    kept = cells.loc[order].drop_duplicates().index
    made = pd.concat([points[~low], points.loc[kept]])
    return made.sort_values(["chromosome", "base_pair_location", "height"], ignore_index=True)


def quantiles(heights: np.ndarray) -> pd.DataFrame:
    """Points that a QQ plot needs.

    Of `count` uniform P the i-th smallest has the mean i/(count+1), and follows Beta(i, count+1-i).

    Parameters
    ----------
    heights : ndarray of float
        -log10 P of all variants.
    """
    count = len(heights)
    observed = np.sort(heights)[::-1]
    expected = -np.log10(np.arange(1, count + 1) / (count + 1))
    cells = np.floor(expected / _APART)
    kept = (expected > -np.log10(THINNED_ABOVE)) | (np.diff(cells, append=-1) != 0)
    rank = np.flatnonzero(kept) + 1
    low, high = (-np.log10(stats.beta.ppf(tail, rank, count + 1 - rank)) for tail in (0.975, 0.025))
    return pd.DataFrame({"expected": expected[kept], "observed": observed[kept], "low": low, "high": high})
