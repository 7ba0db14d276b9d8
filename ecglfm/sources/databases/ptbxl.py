"""PTB-XL (Wagner et al. 2020, doi:10.1038/s41597-020-0495-6), records500 and records100.

Tables: `ptbxl_database.csv`, a row per record, with SCP-ECG codes and their likelihoods, and
`scp_statements.csv`, the codes' diagnostic classes and subclasses. Sex is 0 male, 1 female; ages above 89 are 300.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.config import UserError
from ecglfm.sources.base import Source, in_id_order
from ecglfm.sources.tables import (
    ORDER,
    fail_at,
    number_column,
    parse_age,
    parse_column,
    read_pieces,
    read_table,
    row_number,
    to_frame,
)

_SEXES = {0.0: "male", 1.0: "female"}
_MAX_CODES_TEXT = 10_000  # a literal longer than this is no list of statements
_REQUIRED = ["ecg_id", "patient_id", "age", "sex", "report", "scp_codes", "strat_fold", "filename_lr", "filename_hr"]


class PtbXl(Source):
    """PTB-XL's own layout; `config.rate` chooses records500/ or records100/."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per ecg_id; see `Source.pieces`.

        `native.scp_class` and `native.scp_subclass` have an entry for each of `codes`, empty for one without.

        Raises
        ------
        UserError
            A table is missing, lacks a column, or has a row that cannot be read.
        """
        database, statements = self.tables()
        classes = read_classes(statements)
        tables = read_pieces(database, _REQUIRED)
        for rows in in_id_order((self._rows(table, database, classes) for table in tables), database):
            yield to_frame(rows.drop_columns(ORDER))

    def _rows(self, table: pd.DataFrame, path: Path, classes: dict[str, tuple[str, str]]) -> pd.DataFrame:
        """Rows of the index from rows of `ptbxl_database.csv`."""
        filename = "filename_hr" if self.config.rate == 500 else "filename_lr"
        ids = number_column(table, "ecg_id", path, integer=True, required=True)
        patients = number_column(table, "patient_id", path, integer=True)
        sexes = number_column(table, "sex", path)
        fail_at(path, sexes.notna() & ~sexes.isin(list(_SEXES)), "sex must be 0 or 1", table["sex"])
        fail_at(path, table[filename].isna(), f"{filename} is empty", table[filename])
        codes = [parse_codes(text, path, row) for row, text in table["scp_codes"].items()]

        record_id = self.name + "/" + ids.astype("int64").astype(str)
        patient_id = self.name + "/" + patients.astype("Int64").astype("string").astype(object)
        index = pd.DataFrame(
            {
                ORDER: ids.astype("int64"),
                "record_id": record_id,
                "source": self.name,
                "patient_id": patient_id.where(patients.notna(), None).astype("string"),
                "path": table[filename].str.strip(),
                "age": parse_column(table, "age", path, parse_age, "an age in years").astype("float64"),
                "sex": sexes.map(_SEXES).astype("string"),
                "fold": number_column(table, "strat_fold", path, integer=True).astype("Int64"),
                "codes": codes,
                "report": table["report"].fillna(""),
            }
        )
        native = table.add_prefix("native.")
        for position, name in enumerate(("native.scp_class", "native.scp_subclass")):
            native[name] = [[classes.get(c["code"], ("", ""))[position] for c in row] for row in codes]
        return pd.concat([index, native], axis=1)


def read_classes(path: Path) -> dict[str, tuple[str, str]]:
    """Diagnostic class (NORM MI STTC CD HYP) and subclass of each diagnostic SCP-ECG code in `scp_statements.csv`.

    Raises
    ------
    UserError
        The file is missing or lacks a column.
    """
    table = read_table(path, ["diagnostic", "diagnostic_class"])
    diagnostic = table[(number_column(table, "diagnostic", path) == 1) & table["diagnostic_class"].notna()]
    subclass = (
        diagnostic["diagnostic_subclass"].fillna("") if "diagnostic_subclass" in diagnostic else [""] * len(diagnostic)
    )
    return dict(zip(diagnostic.iloc[:, 0], zip(diagnostic["diagnostic_class"], subclass, strict=True), strict=True))


def parse_codes(text: Any, path: Path, position: Any) -> list[dict[str, Any]]:
    """Parse the cell of `scp_codes` at a position from 0, e.g. `{'NORM': 100.0, 'SR': 0.0}`, in its order.

    Raises
    ------
    UserError
        The cell is not a mapping of codes to likelihoods; names file and row.
    """
    codes: Any = None
    if isinstance(text, str) and len(text) <= _MAX_CODES_TEXT:
        try:
            codes = ast.literal_eval(text)  # literals only: it calls nothing
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            codes = None
    if not isinstance(codes, dict) or not all(
        isinstance(code, str) and type(likelihood) in (int, float) for code, likelihood in codes.items()
    ):
        shown = text if not isinstance(text, str) else text[:60]
        row = row_number(path, position)
        raise UserError(f"{path}: row {row}: scp_codes must look like {{'NORM': 100.0}}, found {shown!r}")
    return [{"code": code, "likelihood": float(likelihood)} for code, likelihood in codes.items()]
