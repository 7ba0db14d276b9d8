"""What the report says about data and tasks, counted by hand from the files of a results folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.report.data_sections import data_section, ledger_rows, read_if_there, task_section
from ecglfm.provenance import read_json, write_json, write_parquet
from ecglfm.records import ledger_frame


def row(record: str, reason: str, action: str = "dropped", **more: str) -> dict[str, str]:
    about = {"record_id": record, "source": record[0], "stage": "ingest", "action": action, "reason": reason}
    return about | {"detail": f"about {record}"} | more


def test_reasons_are_counted_over_pieces_and_the_first_record_is_the_example() -> None:
    pieces = [
        ledger_frame([row("b/9", "lost"), row("b/3", "torn"), row("b/5", "torn")]),
        ledger_frame([row("a/1", "torn"), row("c/2", "flat", "flagged"), row("c/1", "lost", stage="preprocess")]),
    ]
    found = ledger_rows(pieces)
    assert [(one["action"], one["count"], one["stage"], one["reason"]) for one in found] == [
        ("dropped", 3, "ingest", "torn"),
        ("dropped", 1, "ingest", "lost"),
        ("dropped", 1, "preprocess", "lost"),
        ("flagged", 1, "ingest", "flat"),
    ]
    assert (found[0]["sources"], found[0]["example"], found[0]["detail"]) == ("a, b", "a/1", "about a/1")


def test_people_ledger_and_audit(results: Path) -> None:
    records = pd.read_parquet(results / "manifest/records.parquet")
    records["sex"] = pd.Series(["female"] * 12 + ["male"] * 36 + [None] * 12, dtype="str")
    records.loc[:9, "age"] = 20.0
    records.loc[0, "n_samples"] = 500
    records.loc[1, "sampling_rate"] = 500
    write_parquet(results / "manifest/records.parquet", records)
    audit = read_json(results / "manifest/audit.json")
    pairs = [(0.99, False), (0.98, True), (0.995, False), (0.999, True)]
    listed = [{"a": "x", "b": "y", "correlation": value, "crosses": crosses} for value, crosses in pairs]
    write_json(results / "manifest/audit.json", audit | {"duplicate_pairs": listed})
    section = data_section(results)
    assert section is not None
    assert section["total"]["train"] == (40, 40)
    assert section["total"]["test"] == (12, 2)  # records 48 and 49 to 59
    (alpha,) = section["people"]
    assert alpha["age"] == [60.0, 60.0, 60.0]  # ten of sixty are younger: less than a quarter
    assert alpha["female"] == 0.25  # of those whose sex is known
    assert alpha["seconds"] == (2.0, 10.0)  # 1000 samples at 500 Hz, and at 100 Hz
    assert (alpha["rates"], alpha["flagged"]) == ([100, 500], 1)
    assert section["dropped"] == 2
    assert [(pair["correlation"], pair["crosses"]) for pair in section["pairs"]] == [
        (0.999, True), (0.98, True), (0.995, False), (0.99, False),
    ]  # fmt: skip
    assert section["crossing"] == 2


def test_labels_by_split_and_source(results: Path) -> None:
    section = task_section(results, "super")
    assert section is not None
    norm, mi = section["labels"]
    assert norm["name"] == "NORM"
    # every second record of valid and of test; of the 12 in test 10 and more are of one patient
    assert norm["splits"]["valid"] == {"positives": 4, "share": 0.5, "few": 4}
    assert norm["splits"]["test"]["positives"] == 6
    assert norm["splits"]["train"] == {"positives": 0, "share": 0.0, "few": 0}
    assert mi["splits"]["test"] == {"positives": 3, "share": 0.25, "few": 1}
    assert mi["unknown"] == 1
    assert mi["sources"] == {"alpha": {"positives": 3, "known": 59}}


def test_what_has_not_run_is_none_and_what_is_broken_is_one_line(tmp_path: Path) -> None:
    assert data_section(tmp_path) is None
    assert task_section(tmp_path, "super") is None
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json: cannot be read \(.*\); delete it and run its stage again$"):
        read_if_there(tmp_path / "a.json", read_json)
