"""Files of a database: symlinks inside are followed, those that lead out are not, and nothing hangs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecglfm.records import RecordError
from ecglfm.sources import inside
from ecglfm.sources.inside import Root, check_file_name, check_relative


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


def test_the_refusal_names_the_key(root: Root):
    (root.path / "out").symlink_to("../outside")
    with pytest.raises(RecordError, match="'out' leads outside the database: .*outside; .* `links: follow`, or lists"):
        content(root, "out/file")


@pytest.mark.parametrize("links", ["follow", ["outside"], ["elsewhere", "outside"]])
def test_symlinks_are_followed_where_the_user_says_so(root: Root, links: str | list[str]):
    """And only symlinks: a path never leaves by its own words."""
    folders = links if isinstance(links, str) else [root.path.parent / name for name in links]
    open_root = Root(root.path, folders)
    (root.path / "out").symlink_to("../outside")
    (root.path / "direct").symlink_to("../outside/file")
    assert content(open_root, "out/file") == content(open_root, "direct") == "outside"
    for path in ("../outside/file", "out/../outside/file", str(root.path.parent / "outside/file")):
        with pytest.raises(RecordError, match="path_outside_root"):
            content(open_root, path)


@pytest.mark.parametrize("links", ["inside", ["elsewhere"], []])
def test_symlinks_lead_nowhere_else(root: Root, links: str | list[str]):
    folders = links if isinstance(links, str) else [root.path.parent / name for name in links]
    (root.path / "direct").symlink_to("../outside/file")
    with pytest.raises(RecordError, match="path_outside_root"):
        content(Root(root.path, folders), "direct")


@pytest.mark.parametrize("name", ["./x.dat", "././x.dat", "x.dat"])
def test_a_file_beside_its_header(name: str):
    assert check_file_name(name) == "x.dat"


def test_an_umlaut_is_found_in_either_form(root: Root):
    (root.path / "u\u0308").mkdir()
    (root.path / "u\u0308/\u00e9").write_text("here")
    assert content(root, "\u00fc/e\u0301") == "here"


@pytest.mark.parametrize("there", ["a1.HEA", "A1.HEA"])
def test_capitals_of_another_system_are_found(root: Root, there: str):
    (root.path / there).write_text(there)
    assert content(root, "a1.hea") == there


def test_capitals_of_another_record_are_not_taken(root: Root):
    (root.path / "a1.hea").write_text("a header whose signal is lost")
    (root.path / "A1.DAT").write_text("of A1.HEA")
    with pytest.raises(RecordError, match="missing"):
        content(root, "a1.dat")


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
