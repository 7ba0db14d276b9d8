"""Lists of a database's files: every line is checked before the first file is fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import UserError
from tests.file_server import FileServer
from tests.unit.sources.download.home import download


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//x", "a\\..\\x", ".download/verified.txt", "a/."])
def test_a_listing_that_leads_outside_is_refused_before_any_file(ptb_xl: FileServer, tmp_path: Path, name: str) -> None:
    ptb_xl.files["SHA256SUMS.txt"] += f"{'0' * 64} {name}\n".encode()
    with pytest.raises(UserError, match=r"SHA256SUMS.txt: line 7: .* is not a path below the database's root"):
        download(ptb_xl, tmp_path / "db")
    assert [path for path, _ in ptb_xl.requests] == ["SHA256SUMS.txt"]


def test_a_line_that_is_no_checksum_is_named(ptb_xl: FileServer, tmp_path: Path) -> None:
    ptb_xl.files["SHA256SUMS.txt"] = b"<html>moved</html>\n"
    with pytest.raises(UserError, match="SHA256SUMS.txt: line 1: expected `sha256 path`, found '<html>moved</html>'"):
        download(ptb_xl, tmp_path)


def test_an_answer_that_is_no_record_is_one_line(server: FileServer, tmp_path: Path) -> None:
    server.files["api/records/1"] = b'{"status": 404}'
    with pytest.raises(UserError, match="api/records/1: not a Zenodo record with files and checksums"):
        download(server, tmp_path, url=f"{server.url}api/records/1")
