"""One file on its way: faults, ranges, versions and redirects."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecglfm.config import UserError
from tests.file_server import FileServer
from tests.unit.sources.download.home import DAT, content, download, list_files


@pytest.mark.parametrize("fault", ["truncate", "503", "wrong", "hang"])
def test_a_fault_on_the_way_is_overcome(ptb_xl: FileServer, tmp_path: Path, fault: str) -> None:
    ptb_xl.faults[DAT] = [fault]
    download(ptb_xl, tmp_path)
    assert content(tmp_path) == ptb_xl.files
    half = "bytes=49152-"  # of 120,000 bytes half came, in whole blocks of 16384: the rest is asked for
    assert ptb_xl.asked(DAT) == [None, half if fault == "truncate" else None]


def test_without_ranges_the_whole_file_comes_again(ptb_xl: FileServer, tmp_path: Path) -> None:
    ptb_xl.ranges = False
    ptb_xl.faults[DAT] = ["truncate"]
    download(ptb_xl, tmp_path)
    assert (tmp_path / DAT).read_bytes() == ptb_xl.files[DAT]


@pytest.mark.parametrize("changed", [False, True])
def test_another_run_goes_on_with_a_large_file(server: FileServer, tmp_path: Path, changed: bool) -> None:
    old, new = os.urandom(3_000_000), os.urandom(3_000_000)
    server.files["large.dat"] = old
    server.versions["large.dat"] = '"first"'
    list_files(server)
    server.faults["large.dat"] = ["truncate", "503", "503", "503"]
    with pytest.raises(UserError, match="1 of 1 files could not be fetched, e.g. large.dat: HTTP 503"):
        download(server, tmp_path)
    assert not (tmp_path / "large.dat").exists()
    if changed:
        server.files["large.dat"] = new
        server.versions["large.dat"] = '"second"'
        list_files(server)
        server.versions["SHA256SUMS.txt"] = '"second"'
    server.requests.clear()
    download(server, tmp_path)
    assert server.asked("SHA256SUMS.txt") == ([None, None] if changed else [])  # if changed, then whole
    assert server.asked("large.dat") == ["bytes=1490944-"]  # If-Range made a changed file come whole
    assert (tmp_path / "large.dat").read_bytes() == (new if changed else old)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".download", "SHA256SUMS.txt", "large.dat"]


def test_part_of_unknown_version_is_not_gone_on_with(ptb_xl: FileServer, tmp_path: Path) -> None:
    (tmp_path / DAT).parent.mkdir(parents=True)
    (tmp_path / DAT).with_name(".00001_hr.dat.part").write_bytes(b"left by a killed run")
    download(ptb_xl, tmp_path)
    assert ptb_xl.asked(DAT) == [None]
    assert content(tmp_path) == ptb_xl.files


def test_only_https_unless_the_user_says_otherwise(ptb_xl: FileServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'ftp://example.org/x/' is not an https:// URL"):
        download(ptb_xl, tmp_path, url="ftp://example.org/x/")
    ptb_xl.faults[DAT] = ["http"]
    with pytest.raises(UserError, match=r"1 of 6 files .*ftp://\S+ is not an https:// URL"):
        download(ptb_xl, tmp_path)


@pytest.mark.parametrize("place", ["http://[", "http://127.0.0.1:99999/x"])
def test_an_address_that_is_none_costs_one_file(ptb_xl: FileServer, tmp_path: Path, place: str) -> None:
    ptb_xl.moved[DAT] = place
    with pytest.raises(UserError, match=rf"1 of 6 files could not be fetched, e\.g\. {DAT}: \S+ leads to an address"):
        download(ptb_xl, tmp_path)
    assert len(content(tmp_path)) == 6


def test_a_length_beyond_all_bounds_is_none(ptb_xl: FileServer, tmp_path: Path) -> None:
    """Python makes no number of more than 4300 digits, and a server may name one."""
    ptb_xl.faults[DAT] = ["endless"]
    download(ptb_xl, tmp_path)
    assert content(tmp_path) == ptb_xl.files
