"""Tables in pieces: rows keep their numbers, order and types, and nothing half-written stays."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecglfm.config import UserError
from ecglfm.data import tables
from ecglfm.data.tables import shard_tables, sorted_pieces, table_pieces, write_pieces


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS_TOGETHER", 3)


@pytest.mark.usefixtures("small_pieces")
def test_rows_are_labelled_by_their_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(7), "b": list("abcdefg"), "c": 0.5})
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=7)
    pieces = list(table_pieces(tmp_path / "t.parquet", ["b", "a"]))
    assert [list(piece.index) for piece in pieces] == [[0, 1, 2], [3, 4, 5], [6]]
    pd.testing.assert_frame_equal(pd.concat(pieces)[["a", "b"]], frame[["a", "b"]], check_dtype=False)


def test_a_table_without_rows_is_one_piece(tmp_path: Path) -> None:
    pd.DataFrame({"a": pd.Series([], dtype="float64")}).to_parquet(tmp_path / "t.parquet")
    (piece,) = table_pieces(tmp_path / "t.parquet", ["a"])
    assert (len(piece), piece["a"].dtype) == (0, "float64")


def test_pieces_are_sorted_over_all_of_them() -> None:
    pieces = [pd.DataFrame({"k": ["b", "a"], "n": [2, 9]}), pd.DataFrame({"k": ["a", "b"], "n": [3, 1]})]
    rows = [row for table in sorted_pieces(pieces, "k", "n") for row in table.to_pylist()]
    assert [(row["k"], row["n"]) for row in rows] == [("a", 3), ("a", 9), ("b", 1), ("b", 2)]


def test_the_first_piece_decides_on_the_types(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with write_pieces(path, {"made": "here"}) as write:
        write(pd.DataFrame({"a": pd.Series([], dtype="float64"), "b": pd.Series([], dtype="str")}))
        write(pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[7, 8]))
        write(pd.DataFrame({"a": [], "b": []}))
    found = pd.read_parquet(path)
    assert (found["a"].tolist(), found["a"].dtype, list(found.index)) == ([1.0, 2.0], "float64", [0, 1])
    assert pq.read_metadata(path).metadata[b"made"] == b"here"


def test_what_fails_writes_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("earlier")
    with pytest.raises(ValueError, match="no number"), write_pieces(path) as write:
        list(map(write, [pd.DataFrame({"a": [1]}), pd.DataFrame({"a": ["no number"]})]))
    with write_pieces(path):
        pass
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("t.parquet", "earlier")]


def test_shards_of_an_earlier_larger_number_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "preprocess/p"
    folder.mkdir(parents=True)
    for name in ("000.parquet", "001.parquet", "002.parquet", "000.ledger.parquet", "x.parquet"):
        (folder / name).touch()
    assert [path.name for path in shard_tables(folder, ".parquet", 2)] == ["000.parquet", "001.parquet"]
    assert [path.name for path in shard_tables(folder, ".parquet", None)] == [
        "000.parquet",
        "001.parquet",
        "002.parquet",
    ]
    for suffix, shards, said in (
        (".parquet", 4, "3 of 4"),
        (".ledger.parquet", 2, "1 of 2"),
        (".none", None, "0 of the"),
    ):
        with pytest.raises(UserError, match=f"p: {said} shards are there; run the stage preprocess"):
            shard_tables(folder, suffix, shards)
