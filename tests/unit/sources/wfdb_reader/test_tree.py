"""A tree of WFDB records: each folder once, and what the comments of headers say."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.tree import parse_notes, walk


def test_comments_of_headers():
    notes = parse_notes(
        "# before\nr 1 500\r\nr.dat 16\n#Age: 1\n# age : 2\n#a" + " " * 500_000 + "b\n" + "#<" * 1000, "r"
    )
    assert notes.values == {"age": "1"}
    assert notes.comments[:3] == ("before", "Age: 1", "age : 2")
    assert not notes.segmented


@pytest.fixture
def root(tmp_path: Path) -> Root:
    for folder in ("root/a/b", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text(folder)
    return Root(tmp_path / "root")


def test_folders_behind_links_are_walked_once(root: Root):
    outside = root.path.parent / "outside"
    (outside / "deep").mkdir()
    for link, target in {"a/1": outside, "a/2": outside, "deep": outside / "deep", "again": root.path / "a"}.items():
        (root.path / link).symlink_to(target)
    (outside / "loop").symlink_to(outside)
    (outside / "home").symlink_to(root.path)
    assert [str(place) for place, _ in walk(root)] == [".", "a", "a/b"]
    assert [str(place) for place, _ in walk(Root(root.path, "follow"))] == [".", "a", "a/1", "a/b", "deep"]
    assert [names for place, names in walk(Root(root.path, [outside])) if str(place) == "a/1"] == [["file"]]


def test_names_that_are_no_text_are_counted(root: Root, caplog: pytest.LogCaptureFixture):
    (root.path / os.fsdecode(b"a/M\xfcller.hea")).touch()
    (root.path / os.fsdecode(b"J\xf6rg")).mkdir()
    with caplog.at_level(logging.WARNING):
        assert [(str(place), names) for place, names in walk(root)] == [(".", []), ("a", []), ("a/b", ["file"])]
    assert "2 names below" in caplog.text
    assert r"J\xf6rg'; rename them" in caplog.text
