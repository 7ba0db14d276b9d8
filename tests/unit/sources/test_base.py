"""What every adapter shares: ids that stand once and in order, and an index that knows which config made it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecglfm.config import SourceConfig, SourceSlice, UserError
from ecglfm.records import INDEX_COLUMNS
from ecglfm.sources.base import (
    Source,
    check_made_by,
    check_neighbours,
    in_id_order,
    standard_first,
    unique,
    unknown_patients,
    write_index,
)
from ecglfm.sources.tables.reorder import ORDER, to_table


def piece(numbers: list[int], patients: list[str | None]) -> pd.DataFrame:
    """Rows of an index, their native column before the standard ones."""
    ids = [f"s/{number}" for number in numbers]
    frame = pd.DataFrame({"native.x": numbers, "record_id": ids, "source": "s", "path": ids, "report": ""})
    frame["patient_id"] = pd.Series([name and f"s/{name}" for name in patients], dtype="string")
    frame["age"], frame["sex"] = (
        pd.Series(40.0, index=frame.index),
        pd.Series("male", index=frame.index, dtype="string"),
    )
    frame["fold"], frame["codes"] = pd.Series(1, index=frame.index, dtype="Int64"), [[] for _ in numbers]
    return frame


class Three(Source):
    """Three records of two people, one of whom is not named."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        yield piece([1, 2], ["a", "a"])
        yield piece([3], [None])


def slice_of(root: Path, **config: object) -> SourceSlice:
    return SourceSlice(source="s", config=SourceConfig(kind="wfdb_folder", root=str(root), **config))


def test_rows_come_in_the_order_of_their_ids_whatever_their_pieces() -> None:
    frames = [pd.DataFrame({ORDER: [9, 4]}), pd.DataFrame({ORDER: [7, 1]})]
    tables = in_id_order(frames, Path("t.csv"))
    assert [number for table in tables for number in table[ORDER].to_pylist()] == [1, 4, 7, 9]


def test_no_row_and_an_id_twice_are_named() -> None:
    with pytest.raises(UserError, match=r"t\.csv: holds no recording"):
        list(in_id_order([pd.DataFrame({ORDER: pd.Series([], dtype="int64")})], Path("t.csv")))
    with pytest.raises(UserError, match=r"t\.csv: 4 stands twice; record ids must be unique"):
        list(in_id_order([pd.DataFrame({ORDER: [4, 9]}), pd.DataFrame({ORDER: [4]})], Path("t.csv")))


def test_an_id_twice_is_seen_across_tables_too() -> None:
    def sorted_tables(*numbers: list[int]) -> list[object]:
        return [to_table(pd.DataFrame({ORDER: some})) for some in numbers]

    assert len(list(unique(sorted_tables([1, 2], [3]), "t.csv"))) == 2
    with pytest.raises(UserError, match="2 stands twice"):
        list(unique(sorted_tables([1, 2], [2, 3]), "t.csv"))
    check_neighbours(["a", "b", "a"], "t.csv")  # sorted ids stand beside each other


def test_standard_columns_come_first() -> None:
    assert list(standard_first(piece([1], ["a"])).columns) == [*INDEX_COLUMNS, "native.x"]


def test_a_record_without_a_patient_is_a_patient_of_its_own(tmp_path: Path) -> None:
    source = Three("s", tmp_path, slice_of(tmp_path).config)
    assert source.index().patient_id.tolist() == ["s/a", "s/a", "s/3"]
    path = tmp_path / "s.parquet"
    assert write_index(path, source.pieces()) == (3, 2, 1)
    assert unknown_patients(path) == 1
    assert pd.read_parquet(path).patient_id.tolist() == ["s/a", "s/a", "s/3"]


def test_a_record_without_a_patient_is_not_the_patient_of_that_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Record 2 states nobody, and patient 2 is another person, who has record 1; record 3 states patient 3."""
    path = tmp_path / "s.parquet"
    pieces = [piece([1, 2], ["2", None]), piece([3, 4], ["3", "3"]), piece([5, 6], [None, "2"])]
    assert write_index(path, pieces, ["a warning"]) == (6, 4, 2)
    assert pd.read_parquet(path).patient_id.tolist() == ["s/2", "s/2 (unknown)", "s/3", "s/3", "s/5 (unknown)", "s/2"]
    assert unknown_patients(path) == 2
    assert json.loads(pq.read_metadata(path).metadata[b"warnings"]) == ["a warning"]
    assert "state no patient, some have the id of a patient" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == ["s.parquet"]


def test_nothing_to_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recording to write"):
        write_index(tmp_path / "s.parquet", [])
    assert list(tmp_path.iterdir()) == []


def test_an_index_of_another_config_is_refused_and_one_at_another_place_is_not(tmp_path: Path) -> None:
    made, path = slice_of(tmp_path), tmp_path / "s.parquet"
    write_index(path, [piece([1], ["a"])], slice_=made)
    check_made_by(path, made)
    check_made_by(path, slice_of(tmp_path / "moved"))  # records are found relative to the root
    with pytest.raises(UserError, match=r"older than the config of source 's', in which `leads` changed since"):
        check_made_by(path, slice_of(tmp_path, leads={"C1": "V1"}))
    write_index(path, [piece([1], ["a"])])  # as an earlier version wrote it
    check_made_by(path, slice_of(tmp_path, leads={"C1": "V1"}))


def test_a_lead_that_is_named_twice_in_any_spelling_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`file_leads` names a lead twice: I AVR avr"):
        Three("s", tmp_path, SourceConfig(kind="wfdb_folder", root=str(tmp_path), file_leads=["I", "AVR", "avr"]))
