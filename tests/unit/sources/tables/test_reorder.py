"""Tables in another order, through a file: as Python sorts them, lists and types unharmed, however small the pieces."""

from __future__ import annotations

import errno
import re
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglfm.config import UserError
from ecglfm.sources.tables import reorder
from ecglfm.sources.tables.reorder import (
    Distinct,
    Sorter,
    batched,
    merge_join,
    natural_key,
    rechunked,
    sort,
    to_frame,
    to_table,
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a few rows, of which three are merged at a time."""
    monkeypatch.setattr(reorder, "_RUN", 60)
    monkeypatch.setattr(reorder, "_FAN_IN", 3)
    monkeypatch.setattr(reorder, "ROWS_TOGETHER", 4)


def frame_of(numbers: np.ndarray) -> pd.DataFrame:
    """Rows that are known by a number: text, a whole number or none, a list."""
    return pd.DataFrame(
        {
            "number": numbers,
            "text": [f"row {n}" for n in numbers],
            "fold": pd.array([None if n % 3 else n for n in numbers], dtype="Int64"),
            "codes": [[{"code": str(n), "likelihood": 50.0}] * (n % 3) for n in numbers],
        }
    ).astype({"text": "str"})


@pytest.mark.parametrize("run", [1, 5000, 1 << 24])
def test_every_row_comes_at_its_place(run: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reorder, "_RUN", run)
    monkeypatch.setattr(reorder, "_FAN_IN", 7)
    monkeypatch.setattr(reorder, "ROWS_TOGETHER", 300)
    numbers = np.random.default_rng(0).permutation(1000)
    pieces = (to_table(frame_of(numbers[start : start + 70])) for start in range(0, 1000, 70))
    found = list(map(to_frame, sort(pieces, "number")))
    assert [len(piece) for piece in found] == [300, 300, 300, 100]
    pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), frame_of(np.arange(1000)))


def test_rows_that_are_alike_are_not_held_together(monkeypatch: pytest.MonkeyPatch):
    """A measure that is 0 in every record of a database: all its rows once came into memory at once."""
    monkeypatch.setattr(reorder, "_RUN", 6400)
    monkeypatch.setattr(reorder, "_FAN_IN", 16)  # of 19 runs
    seen = []
    sorted_ = reorder._sorted
    monkeypatch.setattr(
        reorder, "_sorted", lambda tables, by: seen.append(sum(map(len, tables))) or sorted_(tables, by)
    )
    tables = (pa.table({"key": np.zeros(100), "row": np.arange(start, start + 100)}) for start in range(0, 5000, 100))
    found = pa.concat_tables(sort(tables, "key"))
    assert found.column_names == ["key", "row"]
    assert found["row"].to_pylist() == list(range(5000))  # in the order in which they came
    assert max(seen) <= 1000


@pytest.mark.usefixtures("small")
def test_tables_without_rows_add_nothing():
    rows = pa.table({"number": [7, 6, 5, 4, 3, 2, 1, 0]})
    found = sort([rows[:0], rows[:4], rows[:0], rows[4:], rows[:0]], "number")
    assert pa.concat_tables(found)["number"].to_pylist() == list(range(8))
    assert list(sort([rows[:0], rows[:0]], "number")) == [rows[:0]]


ROWS = st.lists(st.tuples(st.text(st.sampled_from("aé𝔸 "), max_size=2), st.integers(-2, 2)), max_size=60)


def table_of(rows: list[tuple[str, int]]) -> pa.Table:
    texts, numbers = zip(*rows, strict=True) if rows else ((), ())
    place = range(len(rows))
    return pa.table({"text": pa.array(texts, pa.large_string()), "number": pa.array(numbers, pa.int64()), "row": place})


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, size=st.integers(1, 20))
@pytest.mark.usefixtures("small")
def test_order_is_that_of_pythons_sorted(rows: list[tuple[str, int]], size: int):
    table, runs = table_of(rows), []
    original = reorder._Runs.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reorder._Runs, "write", lambda self, tables: runs.append(1) or original(self, tables))
        found = list(sort((table.slice(k, size) for k in range(0, max(1, len(rows)), size)), "text", "number"))
    assert [len(piece) for piece in found[:-1]] == [4] * (len(found) - 1)
    rows_found = [tuple(row.values()) for piece in found for row in piece.to_pylist()]
    assert rows_found == sorted(
        ((*row, k) for k, row in enumerate(rows)), key=lambda row: row[:2]
    )  # equal ones as they came
    if len(rows) > 40 and size < 5:
        assert len(runs) > 9  # so that runs were merged to longer ones first


@settings(max_examples=200, deadline=None)
@given(streams=st.lists(st.tuples(ROWS, st.integers(1, 9)), min_size=1, max_size=4))
def test_rows_of_one_key_come_together(streams: list[tuple[list[tuple[str, int]], int]]):
    def pieces(rows: list[tuple[str, int]], size: int) -> list[pa.Table]:
        return [table_of(sorted(rows)).slice(k, size) for k in range(0, max(1, len(rows)), size)]

    steps = list(merge_join([pieces(*stream) for stream in streams], "text", "number"))
    seen: dict[tuple[str, int], set[int]] = defaultdict(set)
    back: list[list[tuple[str, int]]] = [[] for _ in streams]
    for number, step in enumerate(steps):
        for rows, table in zip(back, step, strict=True):
            keys = list(zip(table["text"].to_pylist(), table["number"].to_pylist(), strict=True))
            rows += keys
            for key in keys:
                seen[key].add(number)
    assert back == [sorted(rows) for rows, _ in streams]
    assert all(len(numbers) == 1 for numbers in seen.values())
    keys = sorted(seen)
    assert all(max(seen[one]) <= min(seen[other]) for one, other in pairwise(keys))


@pytest.mark.usefixtures("small")
def test_pieces_have_the_same_size_and_there_is_one_at_least():
    table = table_of([("a", k) for k in range(11)])
    assert [len(piece) for piece in rechunked([table.slice(0, 1), table.slice(1, 9), table.slice(10)])] == [4, 4, 3]
    assert [len(piece) for piece in rechunked([table.slice(0, 0)])] == [0]
    assert list(batched(range(9))) == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    assert list(batched([])) == [[]]


@pytest.mark.usefixtures("small")
def test_distinct_texts_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reorder, "hash", lambda _: 0, raising=False)  # those of one hash are not one
    distinct = Distinct()
    for start in range(0, 100, 10):
        distinct.add(pd.Series([f"patient {k % 37}" for k in range(start, start + 10)]))
    assert distinct.count() == 37


def test_a_full_disk_is_one_clear_line(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reorder, "_RUN", 1)
    monkeypatch.setattr(reorder._Runs, "write", full)
    with pytest.raises(UserError, match="no room to sort 3 rows; point TMPDIR to a folder with more"):
        Sorter("number").add(table_of([("a", 1)] * 3))


def by_number(text: str) -> object:
    """What natural order means: words as words, numbers as numbers (by length, then digit by digit)."""
    parts = [(word, digits.lstrip("0")) for word, digits in re.findall(r"(\D*)(\d*)", text, re.ASCII)]
    return [(word, len(number), number) for word, number in parts], text


@given(st.lists(st.text(st.sampled_from("019aéb/._ -𝔸"), max_size=8), max_size=30))
def test_natural_order(names: list[str]):
    assert sorted(names, key=natural_key) == sorted(names, key=by_number)
