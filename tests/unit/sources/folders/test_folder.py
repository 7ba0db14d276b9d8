"""Files by their ending, and those that are in no row of a table."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ecglfm.sources.folders.folder import Known, files_of
from ecglfm.sources.inside import Root


@pytest.fixture
def root(tmp_path: Path) -> Root:
    for name in ("b/2.npy", "a/1.NPY", "a/1.txt", "top.npz", "npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    return Root(tmp_path)


def test_endings_in_any_case(root: Root) -> None:
    assert sorted(files_of(root, (".npy", ".npz"))) == ["a/1.NPY", "b/2.npy", "top.npz"]
    assert list(files_of(root, (".txt",))) == ["a/1.txt"]


def test_files_in_no_row_are_counted_and_the_first_is_named(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    known = Known(Path("table.csv"))
    known.add(["./b/2.npy", "not/there.npy"])
    known.add(["./b/2.npy"])  # a table may name a file twice
    with caplog.at_level(logging.WARNING):
        known.warn_of_others(files_of(root, (".npy", ".npz")))
    (line,) = caplog.messages
    assert line == "table.csv: 2 files are in no row of it and are not used, the first: a/1.NPY"


def test_a_table_of_all_files_is_silent(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    known = Known(Path("table.csv"))
    known.add(["top.npz", "b/2.npy", "a/1.NPY"])
    known.warn_of_others(files_of(root, (".npy", ".npz")))
    assert caplog.messages == []
