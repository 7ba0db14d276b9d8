"""The list of a database's files: kept only when it is whole, renewed when its home has another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import UserError
from tests.file_server import FileServer, serve
from tests.unit.sources.download.home import content, download


def test_a_listing_that_is_refused_is_asked_for_again(ptb_xl: FileServer, tmp_path: Path) -> None:
    listing = ptb_xl.files["SHA256SUMS.txt"]
    ptb_xl.files["SHA256SUMS.txt"] = b"<html>log in first</html>\n"
    with pytest.raises(UserError, match=r"SHA256SUMS.txt: line 1: expected `sha256 path`"):
        download(ptb_xl, tmp_path)
    ptb_xl.files["SHA256SUMS.txt"] = listing
    assert download(ptb_xl, tmp_path).endswith("6 files, 6 of them fetched now, 0 were there")
    ptb_xl.files["SHA256SUMS.txt"] = b"<html>log in again</html>\n"
    with pytest.raises(UserError, match="line 1"):
        download(ptb_xl, tmp_path)
    assert (tmp_path / "SHA256SUMS.txt").read_bytes() == listing


def test_a_listing_without_end_is_not_kept(ptb_xl: FileServer, tmp_path: Path) -> None:
    """No length is sent and the connection breaks off after a line: nobody can tell, so it is fetched anew."""
    ptb_xl.faults["SHA256SUMS.txt"] = ["cut"]
    assert download(ptb_xl, tmp_path).startswith(f"{tmp_path}: 1 file,")
    assert download(ptb_xl, tmp_path).endswith("6 files, 5 of them fetched now, 1 were there")


def test_a_listing_without_the_databases_table_is_refused(ptb_xl: FileServer, tmp_path: Path) -> None:
    ptb_xl.faults["SHA256SUMS.txt"] = ["cut"]
    with pytest.raises(UserError, match=r"the list of its files lacks scp_statements\.csv"):
        download(ptb_xl, tmp_path, tables=["ptbxl_database.csv", "scp_statements.csv"])
    assert content(tmp_path) == {}
    download(ptb_xl, tmp_path, tables=["ptbxl_database.csv", "scp_statements.csv"])
    assert content(tmp_path) == ptb_xl.files


def test_a_table_of_the_users_own_need_not_be_published(ptb_xl: FileServer, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("path\n")
    assert download(ptb_xl, tmp_path, tables=["mine.csv"]).endswith("6 files, 6 of them fetched now, 0 were there")


def test_unreachable_home_is_one_line(tmp_path: Path) -> None:
    with serve() as gone:
        pass
    with pytest.raises(UserError, match="the list of its files cannot be had: no connection"):
        download(gone, tmp_path)
