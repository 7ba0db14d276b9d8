"""A split by years never tears a patient: tested people were never trained on, and are tested in test years alone."""

from __future__ import annotations

import pandas as pd
import pytest

from ecglfm.config import FoldsConfig, UserError, parse
from ecglfm.data.manifest.ledger import SortedLedger
from ecglfm.data.manifest.manifest import run_manifest
from ecglfm.data.manifest.whole_patients import keep_whole
from ecglfm.provenance import read_json
from tests.unit.data.manifest.test_manifest import manifest_slice, write_results
from tests.unit.data.recordings_in_memory import index_frame, pieces_of

YEARS = {"column": "year", "train": ["1990..2018"], "valid": [2019], "test": [2020, 2021]}


def test_all_of_a_patient_is_in_the_last_of_their_splits():
    rows = [
        ("a", "once", "train"), ("a", "once", "train"),
        ("a", "returns", "train"), ("a", "returns", "test"), ("a", "returns", "valid"), ("a", "returns", None),
        ("a", "tuned", "valid"), ("a", "tuned", "train"),
        ("b", "returns", "train"),  # of a source that is split otherwise
        ("b", "torn", "train"), ("b", "torn", "test"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["source", "patient_id", "split"]).astype({"split": "str"})
    table["record_id"] = [f"r{number}" for number in range(len(rows))]
    ledger = SortedLedger()
    whole = pd.concat(keep_whole(pieces_of(table), ["a"], ledger)(["split", "record_id"]))
    assert list(whole.columns) == ["split", "record_id"]
    assert whole["split"].fillna("-").tolist() == [
        "train", "train", "-", "test", "-", "-", "valid", "-", "train", "train", "test",
    ]  # fmt: skip
    told = pd.concat([piece.to_pandas() for piece in ledger._rows.tables()])
    assert told["record_id"].tolist() == ["r2", "r4", "r7"]
    assert set(told["action"]) == {"moved"}
    assert told["detail"].iloc[0] == "from train to no split: its patient has recordings in test"


def test_nothing_is_read_anew_where_nobody_is_torn():
    table = pd.DataFrame(
        {"source": "a", "patient_id": ["a", "b"], "split": ["train", "test"], "record_id": ["r0", "r1"]}
    )
    reader = pieces_of(table)
    assert keep_whole(reader, ["a"], SortedLedger()) is reader


def test_years_as_a_split_column(tmp_path):
    """20 patients of two recordings: patient n's in 2001 + n and, if they return, two years later."""
    index = index_frame()
    number = index["patient_id"].str[2:].astype(int)
    later = index["record_id"].str.endswith("-1").to_numpy()
    index["native.year"] = (2001 + number + 2 * later).astype("Int64")
    write_results(tmp_path, index)
    content = run_manifest(manifest_slice("a", folds={"a": YEARS}), tmp_path, tmp_path / "torn")
    assert not content["passed"]
    assert content["patient_overlap"] == ["a/016", "a/017", "a/018"]  # 2017-19, 2018-20, 2019-21
    content = run_manifest(manifest_slice("a", folds={"a": YEARS | {"across": "last"}}), tmp_path, tmp_path / "whole")
    assert content["passed"]
    assert content["counts"]["a"] == {
        "none": {"records": 4, "patients": 4},  # and 2022, which no split names
        "test": {"records": 3, "patients": 3},
        "train": {"records": 32, "patients": 16},
        "valid": {"records": 1, "patients": 1},
    }
    records = pd.read_parquet(tmp_path / "whole/records.parquet").merge(index[["record_id", "native.year"]])
    assert records[records["split"] == "test"]["native.year"].between(2020, 2021).all()
    ledger = pd.read_parquet(tmp_path / "whole/ledger.parquet")
    assert ledger["record_id"].tolist() == ["a/016-0", "a/017-0", "a/018-0"]
    assert read_json(tmp_path / "whole/audit.json")["pretraining"]["shared_patients"] == 0


def test_a_range_of_years_is_every_one_of_them():
    folds = parse(FoldsConfig, {"train": ["1999..2001", 2005], "valid": [2006], "test": ["2007..2007"]}, "x")
    assert (folds.train, folds.test) == ([1999, 2000, 2001, 2005], [2007])
    assert "across" not in folds.model_dump()  # so that what was split before stays what it is
    with pytest.raises(UserError, match=r"'2001..1999' holds no number; write the smaller one first"):
        parse(FoldsConfig, {"train": ["2001..1999"], "valid": [], "test": []}, "x")
    with pytest.raises(UserError, match="fold 2000 stands twice"):
        parse(FoldsConfig, {"train": ["1999..2001"], "valid": [2000], "test": []}, "x")
