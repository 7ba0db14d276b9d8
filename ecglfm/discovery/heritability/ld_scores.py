"""LD scores: how much of the genome each variant stands for.

The score of variant j is the sum over the variants k within a window of r_jk^2, each corrected for what chance adds in
n people: r^2 - (1 - r^2) / (n - 2) (Bulik-Sullivan et al. 2015, doi:10.1038/ng.3211, equation 5 of its supplement).

Shapes: n people of the reference panel, v variants of one chromosome.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.discovery.genotypes import read_bed
from ecglfm.discovery.summary import number_chromosomes

_MISSING = -1  # in `Genotypes.calls_nv`
_TOGETHER = 512  # variants whose correlations are held at once


class LdScores(NamedTuple):
    """LD scores of a reference panel.

    Attributes
    ----------
    table : DataFrame
        `chromosome base_pair_location rsid ld_score`.
    variants : float
        How many variants the scores were summed over: M of the regression.
    """

    table: pd.DataFrame
    variants: float


def ld_scores(calls_nv: np.ndarray, position_v: np.ndarray, *, window: int = 1_000_000) -> np.ndarray:
    """LD score of each variant of one chromosome.

    Parameters
    ----------
    calls_nv : ndarray, shape (n, v)
        Copies of an allele; -1 where one is missing, which is taken for the mean. Every variant varies.
    position_v : ndarray, shape (v,)
        Base pairs, ascending.
    window : int
        Base pairs to either side.

    Returns
    -------
    ndarray, shape (v,)
    """
    people = len(calls_nv)
    score_v = np.empty(len(position_v))
    for start in range(0, len(position_v), _TOGETHER):
        own = slice(start, min(start + _TOGETHER, len(position_v)))
        first = np.searchsorted(position_v, position_v[own][0] - window)
        last = np.searchsorted(position_v, position_v[own][-1] + window, side="right")
        r2 = (_standardized(calls_nv[:, own]).T @ _standardized(calls_nv[:, first:last]) / people) ** 2
        near = np.abs(position_v[own][:, None] - position_v[None, first:last]) <= window
        score_v[own] = np.where(near, r2 - (1 - r2) / (people - 2), 0).sum(axis=1)
    return score_v


def panel_ld_scores(prefixes: list[Path], *, window: int = 1_000_000, min_frequency: float = 0.01) -> LdScores:
    """LD scores of the variants of PLINK 1 files that are common enough.

    Parameters
    ----------
    prefixes : list of path
        Of `.bed`, `.bim` and `.fam`, any number of chromosomes in each.
    window : int
        Base pairs to either side.
    min_frequency : float
        Rarer variants, and those at which everybody is the same, have no score and are not summed over.

    Raises
    ------
    UserError
        A file cannot be read, or no variant is left.
    """
    tables = []
    for prefix in prefixes:
        genotypes = read_bed(prefix)
        frequency_v = _frequencies(genotypes.calls_nv)
        common_v = (np.minimum(frequency_v, 1 - frequency_v) >= min_frequency) & _vary(genotypes.calls_nv)
        variants = genotypes.variants.assign(number=np.arange(len(common_v)))[common_v]
        for chromosome, own in variants.groupby("chromosome", sort=False):
            own = own.sort_values("position", kind="stable")
            scores = ld_scores(genotypes.calls_nv[:, own["number"]], own["position"].to_numpy(), window=window)
            number = number_chromosomes(pd.Series([chromosome]))[0]
            tables.append(_table(number, own["position"], own["rsid"], scores))
    if not sum(map(len, tables)):
        raise UserError(f"{', '.join(map(str, prefixes))}: no variant has a frequency of {min_frequency} or more")
    table = pd.concat(tables, ignore_index=True)
    return LdScores(table, float(len(table)))


def read_ldsc_scores(folder: Path) -> LdScores:
    """LD scores that LDSC wrote: `*.l2.ldscore.gz` (or `.ldscore`), and `*.l2.M_5_50` beside them.

    Raises
    ------
    UserError
        There are none, a column is missing, or nobody says how many variants they are summed over.
    """
    found = sorted([*folder.glob("*.l2.ldscore.gz"), *folder.glob("*.l2.ldscore")])
    counts = sorted(folder.glob("*.l2.M_5_50"))
    if not found or len(counts) != len(found):
        raise UserError(
            f"{folder}: {len(found)} files *.l2.ldscore.gz and {len(counts)} *.l2.M_5_50: LDSC writes as many of each"
        )
    tables = []
    for path in found:
        table = pd.read_csv(path, sep=r"\s+")
        missing = [name for name in ("CHR", "SNP", "BP", "L2") if name not in table]
        if missing:
            raise UserError(f"{path}: no column {missing[0]}; LDSC's have CHR SNP BP L2")
        tables.append(_table(number_chromosomes(table["CHR"]), table["BP"], table["SNP"], table["L2"]))
    total = sum(float(path.read_text().split()[0]) for path in counts)
    return LdScores(pd.concat(tables, ignore_index=True), total)


def _table(chromosome: object, position: pd.Series, rsid: pd.Series, scores: object) -> pd.DataFrame:
    columns = {"chromosome": chromosome, "base_pair_location": position, "rsid": rsid, "ld_score": scores}
    return pd.DataFrame(columns).reset_index(drop=True)


def _frequencies(calls_nv: np.ndarray) -> np.ndarray:
    known_nv = calls_nv != _MISSING
    return np.where(known_nv, calls_nv, 0).sum(axis=0) / np.maximum(2 * known_nv.sum(axis=0), 1)


def _vary(calls_nv: np.ndarray) -> np.ndarray:
    """Variants at which not everybody is the same: all heterozygous is a frequency of a half, and no variance."""
    return np.where(calls_nv == _MISSING, 2, calls_nv).min(axis=0) < calls_nv.max(axis=0)


def _standardized(calls_nv: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 of each variant; a missing call is 0."""
    frequency_v = _frequencies(calls_nv)
    centred_nv = np.where(calls_nv != _MISSING, calls_nv - 2 * frequency_v, 0).astype(np.float32)
    return centred_nv / np.sqrt((centred_nv**2).mean(axis=0))
