"""Rows in another order, through a file: every row at its place, lists and types unharmed."""

from __future__ import annotations

import errno
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecglfm.config import UserError
from ecglfm.sources import reorder
from ecglfm.sources.reorder import in_order, natural_key, natural_order, rank_of, text_array


def frame_of(numbers: np.ndarray) -> pd.DataFrame:
    """Rows that are known by a number: text, a whole number or none, a list."""
    return pd.DataFrame(
        {
            "text": [f"row {n}" for n in numbers],
            "fold": pd.array([None if n % 3 else n for n in numbers], dtype="Int64"),
            "codes": [[{"code": str(n), "likelihood": 50.0}] * (n % 3) for n in numbers],
        }
    ).astype({"text": "str"})


@pytest.mark.parametrize("gathered", [1, 1 << 25])
def test_every_row_comes_at_its_place(gathered: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reorder, "_GATHERED", gathered)
    numbers = np.random.default_rng(0).permutation(1000)
    pieces = (frame_of(numbers[start : start + 70]) for start in range(0, 1000, 70))
    found = list(in_order(pieces, numbers, rows=300))
    assert [len(piece) for piece in found] == [300, 300, 300, 100]
    pd.testing.assert_frame_equal(pd.concat(found), frame_of(np.arange(1000)))


def test_places_may_be_empty_and_rows_left_out():
    rank = np.array([5, -1, 0, 7])
    found = list(in_order([frame_of(np.arange(4))], rank, n_places=9, rows=3))
    assert [piece.index.tolist() for piece in found] == [[0], [5], [7]]
    assert pd.concat(found).text.tolist() == ["row 2", "row 0", "row 3"]
    assert [piece.index.tolist() for piece in in_order([frame_of(np.arange(1))], rank[:1], n_places=9, rows=3)] == [
        [], [5], []
    ]  # fmt: skip


def test_a_full_disk_is_one_clear_line(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reorder, "_through", full)
    with pytest.raises(UserError, match="no room to sort 3 rows; point TMPDIR to a folder with more"):
        list(in_order([], np.arange(3)))


def by_number(text: str) -> object:
    """What natural order means: words as words, numbers as numbers (by length, then digit by digit)."""
    parts = [(word, digits.lstrip("0")) for word, digits in re.findall(r"(\D*)(\d*)", text, re.ASCII)]
    return [(word, len(number), number) for word, number in parts], text


@given(st.lists(st.text(st.sampled_from("019aéb/._ -𝔸"), max_size=8), max_size=30))
def test_natural_order(names: list[str]):
    assert sorted(names, key=natural_key) == sorted(names, key=by_number)
    order = natural_order(iter(names))
    assert [names[row] for row in order] == sorted(names, key=by_number)
    assert rank_of(order)[order].tolist() == list(range(len(names)))


def test_many_strings():
    texts = [f"{n}é" for n in range(40_000)]
    assert text_array(iter(texts)).to_pylist() == texts
    assert text_array(iter([])).to_pylist() == []
