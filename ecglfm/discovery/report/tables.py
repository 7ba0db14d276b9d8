"""Tables as the page shows them: cells as text, the file that has all rows beside them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Number
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.config import UserError

#: What a column's name in a file does not say by itself; others are shown with spaces.
HEADS = {
    "edf": "Trait", "edf_1": "Trait", "edf_2": "And", "lead_rsid": "Lead variant", "rsid": "Variant",
    "base_pair_location": "Position", "beta": "Effect", "standard_error": "SE", "p_value": "P", "q_value": "q",
    "effect_allele_frequency": "Frequency", "n": "People", "lambda": "Lambda", "min_p": "Smallest P",
    "significant": "P below 5e-8", "significant_corrected": "Below corrected", "h2": "h2",
    "intercept_se": "SE", "lambda_gc": "Lambda", "hwe": "HWE", "maf": "MAF", "missing": "Calls missing",
    "h2_se": "SE", "h2_p": "P",
    "rg": "rg", "rg_se": "SE", "rg_p": "P", "icc": "ICC", "ci_low": "95 % from", "ci_high": "95 % to", "rho": "rho",
    "ph_p_value": "P of proportional hazards", "c_index": "C", "c_index_covariates": "C of age and sex",
    "c_gain": "Gain in C", "c_gain_low": "95 % from", "c_gain_high": "95 % to", "f_mean": "Mean F", "q": "Q",
    "q_p": "P of Q", "egger_intercept": "Egger intercept", "egger_intercept_p": "P of intercept",
    "steiger_forward": "Steiger: forward", "steiger_p": "P of Steiger", "overlap_says": "Overlap of samples",
    "p_one_sided": "P, one-sided", "beta_2": "Effect there", "p_value_2": "P there", "n_2": "People there",
    "reason": "Not tested",
}  # fmt: skip
#: Two digits of these tell everything.
_PROBABILITIES = {"p_value", "q_value", "min_p", "h2_p", "rg_p", "ph_p_value", "q_p", "steiger_p", "p_one_sided",
                  "egger_intercept_p", "p_value_2"}  # fmt: skip
#: Names, even where they look like numbers.
_NAMES = dict.fromkeys(("chromosome", "edf", "lead_rsid", "rsid", "lead", "variant", "nearest_gene", "name"), str)


@dataclass(frozen=True)
class Shown:
    """A table on the page.

    Attributes
    ----------
    title : str
    heads : list of str
    numeric : list of bool
        Which columns stand to the right.
    rows : list of list of str
    total : int
        How many rows the file has.
    files : tuple of path
        Where all of them are.
    """

    title: str
    heads: list[str]
    numeric: list[bool]
    rows: list[list[str]]
    total: int
    files: tuple[Path, ...]


def read_table(path: Path) -> pd.DataFrame:
    """Columns of a `.tsv` of another step; only `NA` and nothing are missing.

    Raises
    ------
    UserError
        It cannot be read.
    """
    try:
        return pd.read_csv(path, sep="\t", dtype=_NAMES, keep_default_na=False, na_values=["NA", ""])
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); make it again, or remove it") from None


def shown(
    table: pd.DataFrame, title: str, *files: Path, columns: tuple[str, ...] = (), by: str = "", most: int = 40
) -> Shown:
    """A table for the page.

    Parameters
    ----------
    table : DataFrame
    title : str
    *files : path
        Where all rows are.
    columns : tuple of str
        Those to show, where they are there; by default all.
    by : str
        Column whose smallest values come first; rows without one are left out. By default the order stays.
    most : int
        Rows.
    """
    kept = [name for name in columns or map(str, table) if name in table]
    ordered = table.dropna(subset=by).sort_values(by, kind="stable") if by in table else table
    rows = [
        [cell(name, value) for name, value in zip(kept, row, strict=True)]
        for row in ordered[kept].head(most).itertuples(index=False)
    ]
    numeric = [_is_numeric(table[name]) for name in kept]
    return Shown(title, [head(name) for name in kept], numeric, rows, len(table), files)


def _is_numeric(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column)) and not pd.api.types.is_bool_dtype(column)


def head(name: str) -> str:
    """What stands above a column."""
    return HEADS.get(name) or name.replace("_", " ").capitalize()


def cell(column: str, value: Any) -> str:
    """A value as text: four digits, of probabilities two, whole numbers as they are."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "–"
    if isinstance(value, bool) or str(value) in {"True", "False"}:
        return "yes" if str(value) == "True" else "no"
    if not isinstance(value, Number):
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    if column in _PROBABILITIES and number == 0:  # of which a double holds no more
        return "< 1e-307"
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    if column in _PROBABILITIES:
        return f"{number:.2g}"
    return f"{number:.0f}" if abs(number) >= 1e4 else f"{number:.4g}"
