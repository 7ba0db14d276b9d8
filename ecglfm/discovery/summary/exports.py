"""What the next tools read: LDSC's five columns, and the variants of one locus as R's `coloc` takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ecglfm.provenance import atomic

_OTHER_STRAND = str.maketrans("ACGT", "TGCA")
_MIN_FREQUENCY, _MIN_INFO = 0.01, 0.9


def ldsc_table(
    table: pd.DataFrame, *, min_frequency: float = _MIN_FREQUENCY, min_info: float = _MIN_INFO
) -> pd.DataFrame:
    """Summary statistics as `munge_sumstats.py` of LDSC would leave them.

    Bulik-Sullivan et al. 2015 (doi:10.1038/ng.3211): single letters that are no palindromes, frequency above
    `min_frequency`, `info` above `min_info` where it is known, no variant twice, and at least two thirds of the 90th
    percentile of `n`.

    Parameters
    ----------
    table : DataFrame
        Columns of GWAS-SSF, with `n` and `rsid`.

    Returns
    -------
    DataFrame
        `SNP A1 A2 Z N`: Z is of A1.
    """
    effect, other = table["effect_allele"], table["other_allele"]
    frequency = table["effect_allele_frequency"]
    keep = (effect.str.len() == 1) & (other.str.len() == 1) & (effect != other.str.translate(_OTHER_STRAND))
    keep &= np.minimum(frequency, 1 - frequency) > min_frequency
    keep &= (table["standard_error"] > 0) & table["rsid"].notna() & ~table["rsid"].duplicated(keep=False)
    if "info" in table:
        keep &= ~(table["info"] < min_info)
    if keep.any():
        keep &= table["n"] >= table.loc[keep, "n"].quantile(0.9) / 1.5
    kept = table[keep.astype(bool)]
    return pd.DataFrame(
        {
            "SNP": kept["rsid"],
            "A1": kept["effect_allele"],
            "A2": kept["other_allele"],
            "Z": kept["beta"] / kept["standard_error"],
            "N": kept["n"],
        }
    ).reset_index(drop=True)


def write_ldsc(path: str | Path, table: pd.DataFrame) -> None:
    """Write `ldsc_table`'s answer as LDSC reads it: `.sumstats.gz`, tabs, three decimals, the same bytes each time."""
    with atomic(path) as temporary:
        table.to_csv(
            temporary, sep="\t", index=False, float_format="%.3f",
            compression={"method": "gzip", "mtime": 0} if Path(path).suffix == ".gz" else None,
        )  # fmt: skip


def coloc_locus(
    table: pd.DataFrame,
    *,
    chromosome: int,
    start: int,
    end: int,
    kind: Literal["quant", "cc"] = "quant",
    case_share: float | None = None,
) -> pd.DataFrame:
    """Variants of one locus, in the columns that `coloc.abf` names.

    Giambartolomei et al. 2014 (doi:10.1371/journal.pgen.1004383). `list` of R makes a data set of it:
    `c(as.list(table[c("snp", "position", "beta", "varbeta", "MAF")]), list(type = table$type[1], N = table$N[1]))`.

    Parameters
    ----------
    table : DataFrame
        Columns of GWAS-SSF.
    start, end : int
        First and last base pair.
    kind : str
        `quant` of a quantity whose standard deviation is 1, `cc` of cases and controls.
    case_share : float, optional
        Of `cc`: the column `s`.

    Returns
    -------
    DataFrame
        `snp position effect_allele other_allele beta varbeta MAF N type` and `sdY` or `s`; variants without a standard
        error, or twice, are left out.
    """
    inside = (table["chromosome"] == chromosome) & table["base_pair_location"].between(start, end)
    kept = table[inside & (table["standard_error"] > 0)]
    frequency = kept["effect_allele_frequency"]
    found = pd.DataFrame(
        {
            "snp": variant_names(kept),
            "position": kept["base_pair_location"],
            "effect_allele": kept["effect_allele"],
            "other_allele": kept["other_allele"],
            "beta": kept["beta"],
            "varbeta": kept["standard_error"] ** 2,
            "MAF": np.minimum(frequency, 1 - frequency),
            "N": kept.get("n", pd.NA),
            "type": kind,
        }
    )
    found = found.assign(sdY=1.0) if kind == "quant" else found.assign(s=case_share)
    return found[~found["snp"].duplicated(keep=False)].reset_index(drop=True)


def variant_names(table: pd.DataFrame) -> pd.Series:
    """A name for each variant: its rsid, or its `variant_id`, or place and alleles."""
    made = (
        table["chromosome"].astype(str)
        + "_" + table["base_pair_location"].astype(str)
        + "_" + table["other_allele"]
        + "_" + table["effect_allele"]
    )  # fmt: skip
    for column in ("variant_id", "rsid"):
        if column in table:
            made = table[column].where(table[column].notna(), made)
    return made.astype(object)
