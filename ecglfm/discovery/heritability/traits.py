"""Heritability of every trait and genetic correlation of every pair, of their summary statistics."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm

from ecglfm.config import UserError
from ecglfm.discovery.heritability.ld_scores import LdScores
from ecglfm.discovery.heritability.regression import (
    BLOCKS,
    Trait,
    genetic_correlation,
    genetic_covariance,
    heritability,
)
from ecglfm.discovery.summary import ldsc_table

_FEWEST = 200  # variants that a regression needs at the least


def regression_rows(table: pd.DataFrame, scores: LdScores, *, min_frequency: float = 0.01) -> pd.DataFrame:
    """Variants of a trait that the regression uses: `SNP A1 A2 Z N ld_score`, in the order of the genome.

    Those that `ldsc_table` keeps, with an LD score, and chi-square of at most the larger of 80 and n / 1000, as LDSC
    has it: one variant of huge effect is no polygenic signal.

    Parameters
    ----------
    table : DataFrame
        Columns of GWAS-SSF with `rsid` and `n`. Without `rsid` variants are named by their place, on both sides.
    """
    scored = scores.table
    if "rsid" not in table or table["rsid"].isna().all():
        table, scored = table.assign(rsid=_places(table)), scored.assign(rsid=_places(scored))
    scored = scored[~scored["rsid"].duplicated(keep=False)].assign(order=np.arange(len(scored)))
    rows = ldsc_table(table, min_frequency=min_frequency).merge(scored, left_on="SNP", right_on="rsid")
    rows = rows[rows["Z"] ** 2 < max(80.0, 0.001 * float(rows["N"].max() or 0))] if len(rows) else rows
    return rows.sort_values("order")[["SNP", "A1", "A2", "Z", "N", "ld_score"]].reset_index(drop=True)


def heritabilities(
    traits: Mapping[str, pd.DataFrame], scores: LdScores, *, blocks: int = BLOCKS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Regress every trait, and every pair of traits.

    Parameters
    ----------
    traits : mapping of str to DataFrame
        Variants of each by its name, as `regression_rows` gives them.
    scores : LdScores
    blocks : int
        Of the jackknife.

    Returns
    -------
    heritability : DataFrame
        `edf h2 h2_se h2_z h2_p intercept intercept_se mean_chi2 lambda_gc ratio variants n`; `ratio` is what of the
        inflation is not polygenic, (intercept - 1) / (mean chi-square - 1).
    correlation : DataFrame
        `edf_1 edf_2 rg rg_se rg_p covariance covariance_se intercept intercept_se variants`: one row a pair; `rg` is
        empty where a heritability is not above 0.

    Raises
    ------
    UserError
        A trait has hardly a variant with an LD score.
    """
    rows, pairs = [], []
    for name, table in traits.items():
        if len(table) < _FEWEST:
            raise UserError(
                f"{name}: {len(table)} of its variants have an LD score and pass LDSC's rules (`info` of at least 0.9,"
                f" no palindrome, …), at least {_FEWEST} are needed: are rsids (or genome build) those of the panel?"
            )
        found = heritability(_trait(table), table["ld_score"].to_numpy(), variants=scores.variants, blocks=blocks)
        chi2 = table["Z"] ** 2
        z = found.value / found.standard_error
        rows.append(
            {
                "edf": name,
                "h2": found.value,
                "h2_se": found.standard_error,
                "h2_z": z,
                "h2_p": float(norm.sf(z)),
                "intercept": found.intercept,
                "intercept_se": found.intercept_se,
                "mean_chi2": chi2.mean(),
                "lambda_gc": chi2.median() / 0.4549364,
                "ratio": (found.intercept - 1) / (chi2.mean() - 1) if chi2.mean() > 1 else np.nan,
                "variants": len(table),
                "n": float(table["N"].max()),
            }
        )
    for first, second in itertools.combinations(traits, 2):
        pairs.append({"edf_1": first, "edf_2": second, **_pair(traits[first], traits[second], scores, blocks)})
    columns = [
        "edf_1",
        "edf_2",
        "rg",
        "rg_se",
        "rg_p",
        "covariance",
        "covariance_se",
        "intercept",
        "intercept_se",
        "variants",
    ]
    return pd.DataFrame(rows), pd.DataFrame(pairs, columns=columns)


def _pair(first: pd.DataFrame, second: pd.DataFrame, scores: LdScores, blocks: int) -> dict[str, float]:
    """Genetic correlation over the variants that both have, alleles set to those of the first."""
    both = first.merge(second[["SNP", "A1", "A2", "Z", "N"]], on="SNP", suffixes=("", "_2"))
    same = (both["A1"] == both["A1_2"]) & (both["A2"] == both["A2_2"])
    turned = (both["A1"] == both["A2_2"]) & (both["A2"] == both["A1_2"])
    both = both.assign(Z_2=both["Z_2"].where(~turned, -both["Z_2"]))[same | turned]
    ld_m = both["ld_score"].to_numpy()
    one, other = _trait(both), Trait(both["Z_2"].to_numpy(np.float64), both["N_2"].to_numpy(np.float64))
    m = scores.variants
    covariance = genetic_covariance(one, other, ld_m, variants=m, blocks=blocks)
    own = [heritability(trait, ld_m, variants=m, blocks=blocks) for trait in (one, other)]
    found = genetic_correlation(covariance, *own)
    return {
        "rg": found.value,
        "rg_se": found.standard_error,
        "rg_p": found.p_value,
        "covariance": covariance.value,
        "covariance_se": covariance.standard_error,
        "intercept": covariance.intercept,
        "intercept_se": covariance.intercept_se,
        "variants": len(both),
    }


def _trait(table: pd.DataFrame) -> Trait:
    return Trait(table["Z"].to_numpy(np.float64), table["N"].to_numpy(np.float64))


def _places(table: pd.DataFrame) -> pd.Series:
    return table["chromosome"].astype(str) + ":" + table["base_pair_location"].astype(str)
