"""Every stage's ledger rows in one sorted table, of which few bytes a row are held: all texts but the ids repeat."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.data.pieces import ROWS_TOGETHER, write_pieces
from ecglfm.records import LEDGER_COLUMNS, ledger_frame


class SortedLedger:
    """Rows of ledgers, to be written in the order of their columns.

    Attributes
    ----------
    dropped : int
        Rows that say that a record was dropped.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._texts: dict[str, dict[str, int]] = {column: {} for column in LEDGER_COLUMNS if column != "record_id"}
        self._parts: list[pa.Table] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Take some rows, `LEDGER_COLUMNS`."""
        self.dropped += int((rows["action"] == "dropped").sum())
        numbers = {
            column: pa.array([known.setdefault(text, len(known)) for text in rows[column].astype("str")], pa.int32())
            for column, known in self._texts.items()
        }
        self._parts.append(pa.table(numbers | {"record_id": pa.array(rows["record_id"], pa.large_string())}))

    def write(self, path: Path) -> None:
        """Write `ledger.parquet`."""
        table, names = pa.concat_tables(self._parts), {}
        for column, known in self._texts.items():
            names[column] = sorted(known)
            place = {text: number for number, text in enumerate(names[column])}
            places = pa.array([place[text] for text in known], pa.int32())
            table = table.set_column(table.schema.get_field_index(column), column, places.take(table[column]))
        order = pc.sort_indices(table, [(column, "ascending") for column in LEDGER_COLUMNS])
        with write_pieces(path) as write:
            if not len(order):
                write(ledger_frame([]))
            for start in range(0, len(order), ROWS_TOGETHER):
                rows = table.take(order[start : start + ROWS_TOGETHER])
                texts = {column: pa.array(names[column], pa.large_string()).take(rows[column]) for column in names}
                write(pa.table(texts | {"record_id": rows["record_id"]}).to_pandas()[list(LEDGER_COLUMNS)])
