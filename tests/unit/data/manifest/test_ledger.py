"""Ledgers of all stages in one table: sorted, counted, and none lost."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.data.manifest.ledger import SortedLedger, dropped_because, noted
from ecglfm.records import LEDGER_COLUMNS, ledger_frame


def rows(*about: tuple[str, str, str]) -> pd.DataFrame:
    return ledger_frame(
        [
            {
                "source": record[0],
                "record_id": record,
                "stage": "ingest",
                "action": action,
                "reason": reason,
                "detail": "",
            }
            for record, action, reason in about
        ]
    )


def test_rows_are_sorted_by_their_columns_whatever_their_pieces(tmp_path: Path) -> None:
    ledger = SortedLedger()
    ledger.add(rows(("b/2", "dropped", "torn"), ("a/9", "flagged", "flat")))
    passed = list(noted([rows(("b/1", "dropped", "lost")), rows(("a/10", "dropped", "torn"))], ledger))
    assert [piece["record_id"].tolist() for piece in passed] == [["b/1"], ["a/10"]]
    assert ledger.dropped == 3
    ledger.write(tmp_path / "ledger.parquet")
    found = pd.read_parquet(tmp_path / "ledger.parquet")
    assert list(found.columns) == list(LEDGER_COLUMNS)
    assert found["record_id"].tolist() == ["a/10", "a/9", "b/1", "b/2"]
    assert dropped_because(tmp_path / "ledger.parquet") == "3 dropped: torn 2, lost 1"
    assert dropped_because(tmp_path / "ledger.parquet", kept=7) == "3 of 10 dropped: torn 2, lost 1"


def test_five_reasons_are_named(tmp_path: Path) -> None:
    ledger = SortedLedger()
    for number in range(6):
        ledger.add(rows(*((f"a/{number}{k}", "dropped", f"reason{number}") for k in range(6 - number))))
    ledger.write(tmp_path / "ledger.parquet")
    assert dropped_because(tmp_path / "ledger.parquet") == (
        "21 dropped: reason0 6, reason1 5, reason2 4, reason3 3, reason4 2, …"
    )


def test_an_empty_ledger_is_a_table_with_its_columns(tmp_path: Path) -> None:
    SortedLedger().write(tmp_path / "ledger.parquet")
    assert list(pd.read_parquet(tmp_path / "ledger.parquet").columns) == list(LEDGER_COLUMNS)
    assert dropped_because(tmp_path / "ledger.parquet") == "0 dropped"
