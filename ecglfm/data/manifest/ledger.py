"""Every stage's ledger rows in one sorted table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa

from ecglfm.data.tables import table_pieces, write_pieces
from ecglfm.records import LEDGER_COLUMNS, ledger_frame
from ecglfm.sources.tables import Sorter


class SortedLedger:
    """Rows of ledgers, to be written in the order of their columns.

    Attributes
    ----------
    dropped : int
        Rows that say that a record was dropped.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._rows = Sorter(*LEDGER_COLUMNS)
        self.add(ledger_frame([]))

    def add(self, rows: pd.DataFrame) -> None:
        """Take some rows, `LEDGER_COLUMNS`."""
        self.dropped += int((rows["action"] == "dropped").sum())
        texts = {column: pa.array(rows[column].astype("str"), pa.large_string()) for column in LEDGER_COLUMNS}
        self._rows.add(pa.table(texts))

    def write(self, path: Path) -> None:
        """Write `ledger.parquet`."""
        with write_pieces(path) as write:
            for table in self._rows.tables():
                write(table.to_pandas())


def noted(pieces: Iterable[pd.DataFrame], ledger: SortedLedger) -> Iterator[pd.DataFrame]:
    """Pass rows of a ledger on, and add them to it."""
    for rows in pieces:
        ledger.add(rows)
        yield rows


def dropped_because(path: Path, kept: int | None = None) -> str:
    """How many records (of those and the `kept`) `ledger.parquet` says were dropped, and the commonest reasons."""
    reasons: Counter[str] = Counter()
    for rows in table_pieces(path, ["action", "reason"]):
        reasons.update(rows.loc[rows["action"] == "dropped", "reason"])
    most = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common(5))
    of = "" if kept is None else f" of {kept + reasons.total()}"
    return f"{reasons.total()}{of} dropped" + (f": {most}" if most else "") + (", …" if len(reasons) > 5 else "")
