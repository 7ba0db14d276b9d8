"""Files of a database: symlinks inside are followed, those that lead out are not, and nothing hangs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecglfm.records import RecordError
from ecglfm.sources import inside
from ecglfm.sources.inside import Root, check_relative


@pytest.fixture
def root(tmp_path: Path) -> Root:
    for folder in ("root/a/b", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text(folder)
    return Root(tmp_path / "root")


def content(root: Root, path: str) -> str:
    with root.open(*root.split(path), "missing") as (descriptor, size):
        return os.read(descriptor, size).decode()


@pytest.mark.parametrize("path", ["a/b/file", "./a//b/./file", "a/b/file/"])
def test_a_file_inside(root: Root, path: str):
    assert content(root, path) == "root/a/b"


def test_symlinks_inside_are_followed(root: Root):
    (root.path / "link").symlink_to(root.path / "a")
    (root.path / "direct").symlink_to("link/b/file")
    assert content(root, "link/b/file") == "root/a/b"
    assert content(root, "direct") == "root/a/b"


@pytest.mark.parametrize("target", ["../outside", "a/../../outside", "/etc"])
def test_symlinks_that_lead_out_are_refused(root: Root, target: str):
    (root.path / "out").symlink_to(target)
    (root.path / "a" / "file").symlink_to(f"../{target}/file" if target[0] != "/" else "/etc/passwd")
    for path in ("out/file", "out/../out/file", "a/file", "a/b/../../../outside/file"):
        with pytest.raises(RecordError, match="path_outside_root"):
            content(root, path)


def test_what_is_no_file_is_missing(root: Root):
    os.mkfifo(root.path / "pipe")  # opening one waits for a writer
    (root.path / "loop").symlink_to("loop")
    (root.path / "dangling").symlink_to("nowhere")
    for path in ("none", "none/file", "a/b/file/x", "a", "pipe", "dangling", "x" * 300, "y/" * 3000 + "x"):
        with pytest.raises(RecordError, match="missing"):
            content(root, path)
    with pytest.raises(RecordError, match="path_outside_root"):
        content(root, "loop")


@pytest.mark.parametrize("path", ["", ".", "./", "/a", "..", "a/../b", "a\\b", "a\0"])
def test_paths_of_a_table(path: str):
    with pytest.raises(RecordError, match="path_outside_root"):
        check_relative(path)


def test_remembered_folders_stay_few(root: Root, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inside, "MAX_FOLDERS", 10)
    for number in range(50):
        root.folder(("a", f"{number}"))
        assert len(root._folders) <= 12
    assert content(root, "a/b/file") == "root/a/b"
