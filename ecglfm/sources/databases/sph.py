"""SPH, Shandong Provincial Hospital (Liu et al. 2022, doi:10.1038/s41597-022-01403-5): 25,770 ECGs of 24,666 people.

Tables: `metadata.csv`, a row per ECG, and `code.csv`, which names the AHA statements. `records/{ECG_ID}.h5` holds `ecg`
(12, n) at 500 Hz, in mV and in the order of `FILE_LEADS` as others read it: the files themselves say neither.

`AHA_Code` has statements joined by `;`, each a primary code and maybe modifiers behind it, joined by `+`: `22;60+310`.
`codes` are the statements as they stand, `native.AHA_Primary` the primary codes alone, and `report` their words.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import LEADS
from ecglfm.records import Record, RecordError
from ecglfm.sources.arrays import Hdf5File
from ecglfm.sources.base import Source, in_id_order
from ecglfm.sources.tables import (
    ORDER,
    fail_at,
    filled_column,
    identifiers,
    natural_key,
    parse_column,
    parse_sex,
    read_pieces,
    read_table,
    to_frame,
    years_column,
)

logger = logging.getLogger(__name__)

SAMPLING_RATE = 500.0  # Hz
FILE_LEADS = LEADS
_REQUIRED = ["ECG_ID", "AHA_Code", "Patient_ID", "Age", "Sex"]
_STATEMENTS = re.compile(r"\s*\d+(\s*[;+]\s*\d+)*(\s*;)?\s*", re.ASCII)


class Sph(Source):
    """SPH's own layout: the records, out of their archive, in `records/`."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per ECG_ID; see `Source.pieces`. Codes that `code.csv` does not name are told in a warning.

        Raises
        ------
        UserError
            A table is missing, lacks a column, repeats an ECG_ID, or has a row that cannot be read.
        """
        path, code_table = self.tables()
        table = read_table(code_table, ["Code", "Description"])
        names = dict(zip(filled_column(table, "Code", code_table), table["Description"].fillna(""), strict=True))
        unnamed: set[str] = set()
        rows = (self._rows(table, path, names, unnamed) for table in read_pieces(path, _REQUIRED))
        for index in in_id_order(rows, path):
            yield to_frame(index.drop_columns(ORDER))
        if unnamed:
            logger.warning("%s has no name for the codes %s", code_table, ", ".join(sorted(unnamed, key=natural_key)))

    def _rows(self, table: pd.DataFrame, path: Path, names: Mapping[str, str], unnamed: set[str]) -> pd.DataFrame:
        """Rows of the index from rows of `metadata.csv`."""
        ids = filled_column(table, "ECG_ID", path)
        odd = table["AHA_Code"].notna() & ~table["AHA_Code"].fillna("1").str.fullmatch(_STATEMENTS)
        fail_at(path, odd, "AHA_Code must look like 22;60+310", table["AHA_Code"])
        statements = [parse_statements(text) for text in table["AHA_Code"].fillna("")]
        unnamed.update(code for row in statements for one in row for code in one if code not in names)
        patients = identifiers(table, "Patient_ID", path)
        index = pd.DataFrame(
            {
                ORDER: ids.map(natural_key),
                "record_id": self.name + "/" + ids,
                "source": self.name,
                "patient_id": (self.name + "/" + patients).where(patients.notna(), None).astype("string"),
                "path": "records/" + ids + ".h5",
                "age": years_column(table, "Age", path),
                "sex": parse_column(table, "Sex", path, parse_sex, "M or F").astype("string"),
                "fold": pd.Series(pd.NA, index=table.index, dtype="Int64"),
                "codes": [[{"code": "+".join(one), "likelihood": 100.0} for one in row] for row in statements],
                "report": ["; ".join(_in_words(one, names) for one in row) for row in statements],
            }
        )
        native = table.add_prefix("native.")
        primary = [";".join(one[0] for one in row) or None for row in statements]
        native["native.AHA_Primary"] = pd.Series(primary, index=table.index, dtype="str")
        return pd.concat([index, native], axis=1)

    def read(self, path: str) -> Record:
        """Read the recording at `records/{ECG_ID}.h5`; NaN and infinite samples count as missing.

        Raises
        ------
        RecordError
            `path_outside_root`, `signal_missing`, `signal_unreadable`, `signal_too_long`, `signal_empty`.
        """
        file = Hdf5File(self._inside, path, f"; see {__name__} for what it should hold")
        ecg = file.dataset("ecg", "fiu", 2)
        if ecg.shape[0] != len(FILE_LEADS):
            raise file.unreadable(f"ecg is {ecg.shape}, not (12, samples)")
        if ecg.shape[1] == 0:
            raise RecordError("signal_empty", f"{path} holds no samples")
        signal = file.read(ecg, slice(None), "ecg").T.astype(np.float64)
        signal[~np.isfinite(signal)] = np.nan
        return Record(signal, FILE_LEADS, SAMPLING_RATE)


def parse_statements(text: str) -> list[list[str]]:
    """Statements of a cell of `AHA_Code`, each a primary code and its modifiers: `22;60+310` is 22, and 60 with 310."""
    return [[code.strip() for code in one.split("+")] for one in text.split(";") if one.strip()]


def _in_words(statement: list[str], names: Mapping[str, str]) -> str:
    """A statement's primary code and its modifiers by their names, those without one by number."""
    return ", ".join(names.get(code) or code for code in statement)
