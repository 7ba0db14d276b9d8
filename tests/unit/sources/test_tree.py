"""Each folder once, files by their ending, and those that are in no row of a table."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from ecglfm.sources.inside import Root
from ecglfm.sources.tree import Known, files_of, walk


@pytest.fixture
def files(tmp_path: Path) -> Root:
    for name in ("b/2.npy", "a/1.NPY", "a/1.txt", "top.npz", "npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    return Root(tmp_path)


def test_endings_in_any_case(files: Root) -> None:
    assert sorted(files_of(files, (".npy", ".npz"))) == ["a/1.NPY", "b/2.npy", "top.npz"]
    assert list(files_of(files, (".txt",))) == ["a/1.txt"]


def test_files_in_no_row_are_counted_and_the_first_is_named(files: Root, caplog: pytest.LogCaptureFixture) -> None:
    known = Known(Path("table.csv"))
    known.add(["./b/2.npy", "not/there.npy"])
    known.add(["./b/2.npy"])  # a table may name a file twice
    with caplog.at_level(logging.WARNING):
        known.warn_of_others(files_of(files, (".npy", ".npz")))
    (line,) = caplog.messages
    assert line == "table.csv: 2 files are in no row of it and are not used, the first: a/1.NPY"


def test_a_table_of_all_files_is_silent(files: Root, caplog: pytest.LogCaptureFixture) -> None:
    known = Known(Path("table.csv"))
    known.add(["top.npz", "b/2.npy", "a/1.NPY"])
    known.warn_of_others(files_of(files, (".npy", ".npz")))
    assert caplog.messages == []


@pytest.fixture
def linked(tmp_path: Path) -> Root:
    for folder in ("root/a/b", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text(folder)
    return Root(tmp_path / "root")


def test_folders_behind_links_are_walked_once(linked: Root):
    outside = linked.path.parent / "outside"
    (outside / "deep").mkdir()
    for link, target in {"a/1": outside, "a/2": outside, "deep": outside / "deep", "again": linked.path / "a"}.items():
        (linked.path / link).symlink_to(target)
    (outside / "loop").symlink_to(outside)
    (outside / "home").symlink_to(linked.path)
    assert [str(place) for place, _ in walk(linked)] == [".", "a", "a/b"]
    assert [str(place) for place, _ in walk(Root(linked.path, "follow"))] == [".", "a", "a/1", "a/b", "deep"]
    assert [names for place, names in walk(Root(linked.path, [outside])) if str(place) == "a/1"] == [["file"]]


def test_names_that_are_no_text_are_counted(linked: Root, caplog: pytest.LogCaptureFixture):
    (linked.path / os.fsdecode(b"a/M\xfcller.hea")).touch()
    (linked.path / os.fsdecode(b"J\xf6rg")).mkdir()
    with caplog.at_level(logging.WARNING):
        assert [(str(place), names) for place, names in walk(linked)] == [(".", []), ("a", []), ("a/b", ["file"])]
    assert "2 names below" in caplog.text
    assert r"J\xf6rg'; rename them" in caplog.text
