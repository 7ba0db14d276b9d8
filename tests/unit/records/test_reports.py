"""Which recordings have which report, and that reports of test recordings are not read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.records import normalized, read_reports

RECORDS = pd.DataFrame(
    [
        ("b/1", "b", "train"), ("a/1", "a", "train"), ("a/2", "a", "valid"), ("a/3", "a", "test"),
        ("a/4", "a", "train"), ("a/5", "a", "train"), ("b/2", "b", "train"), ("b/3", "b", None),
    ],
    columns=["record_id", "source", "split"],
)  # fmt: skip


def write(folder: Path) -> Path:
    said = {
        "a": {"a/1": "Sinus  rhythm;\tNormal ECG ", "a/2": "sinus rhythm; normal ecg", "a/3": "secret", "a/4": " \n", "a/5": None},
        "b": {"b/1": "Atrial ﬁbrillation", "b/2": "SINUS RHYTHM; NORMAL ECG", "b/3": "dropped", "b/4": "in no manifest"},
    }  # fmt: skip
    for source, reports in said.items():
        table = pd.DataFrame({"record_id": list(reports), "report": list(reports.values()), "age": 1.0})
        table.to_parquet(folder / f"{source}.parquet")
    return folder


def test_a_text_counts_without_its_writing() -> None:
    assert normalized(" Sinus\u00a0rhythm;\n Normal  ECG") == "sinus rhythm; normal ecg"
    assert normalized("ﬁbrillation ") == "fibrillation"
    assert normalized(" \t") == ""


def test_equal_texts_are_one_and_others_splits_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    parquet = pd.read_parquet

    def noted(*args: object, **options: object) -> pd.DataFrame:
        table = parquet(*args, **options)
        read.extend(table["record_id"])
        return table

    monkeypatch.setattr(pd, "read_parquet", noted)
    reports = read_reports(RECORDS, write(tmp_path), ["train", "valid"])
    assert reports.texts == ["atrial fibrillation", "sinus rhythm; normal ecg"]
    assert reports.rows.tolist() == [0, 1, 1, -1, -1, -1, 1, -1]
    assert reports.rows.dtype == np.int64
    assert sorted(read) == ["a/1", "a/2", "a/4", "a/5", "b/1", "b/2"]


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "b.parquet").unlink()
    with pytest.raises(UserError, match=r"b\.parquet: no such file, in which the reports are; run the stage `index`"):
        read_reports(RECORDS, tmp_path, ["train"])
