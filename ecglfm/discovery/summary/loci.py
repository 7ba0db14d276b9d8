"""Lead variants of features, as the step `discover loci` writes them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.config import UserError
from ecglfm.discovery.summary.files import number_chromosomes

_COLUMNS = ("edf", "locus", "chromosome", "base_pair_location", "effect_allele", "other_allele")


def read_loci(path: Path) -> pd.DataFrame:
    """`loci.parquet`, chromosomes as numbers, in the order of feature and place.

    Raises
    ------
    UserError
        It is missing, or lacks a column.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; run the step `discover loci`")
    table = pd.read_parquet(path)
    missing = [name for name in _COLUMNS if name not in table]
    if missing:
        raise UserError(f"{path}: no column {missing[0]!r}: not the loci of `discover loci`")
    table["chromosome"] = number_chromosomes(table["chromosome"])
    return table.sort_values(["edf", "chromosome", "base_pair_location"], ignore_index=True)


def lead_statistics(leads: pd.DataFrame, statistics: pd.DataFrame) -> pd.DataFrame:
    """Summary statistics of lead variants of one feature, in the order of `leads`, found by place and alleles.

    Raises
    ------
    UserError
        One is not there: loci and statistics are of two runs.
    """
    place = ["chromosome", "base_pair_location", "effect_allele", "other_allele"]
    found = leads[[*place, "locus"]].merge(statistics, on=place, how="left")
    if found["beta"].isna().any():
        row = found[found["beta"].isna()].iloc[0]
        raise UserError(
            f"lead variant {row['chromosome']}:{row['base_pair_location']} has no summary statistics: run the steps"
            " `discover summary` and `discover loci` again"
        )
    return found
