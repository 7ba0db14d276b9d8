"""What is in the root already: neither fetched nor hashed twice."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from ecglfm.config import UserError
from tests.file_server import FileServer
from tests.unit.sources.download.home import DAT, content, download


def test_second_run_asks_for_nothing(ptb_xl: FileServer, tmp_path: Path) -> None:
    download(ptb_xl, tmp_path)
    ptb_xl.requests.clear()
    assert download(ptb_xl, tmp_path).endswith("6 files, 0 of them fetched now, 6 were there")
    assert ptb_xl.unchanged == ["SHA256SUMS.txt"]  # all that was asked, and the server had nothing to send
    assert ptb_xl.requests == []


def test_a_copy_that_was_there_is_checked_and_completed(ptb_xl: FileServer, tmp_path: Path, real_data: Path) -> None:
    (tmp_path / "scp_statements.csv").write_bytes((real_data / "ptb-xl/scp_statements.csv").read_bytes())
    (tmp_path / "ptbxl_database.csv").write_text("edited by somebody")
    assert download(ptb_xl, tmp_path).endswith("6 files, 5 of them fetched now, 1 were there")
    assert content(tmp_path) == ptb_xl.files


def test_a_file_that_changed_since_is_fetched_again(ptb_xl: FileServer, tmp_path: Path) -> None:
    download(ptb_xl, tmp_path)
    changed = bytearray((tmp_path / DAT).read_bytes())
    changed[100] ^= 1
    (tmp_path / DAT).write_bytes(changed)
    ptb_xl.requests.clear()
    download(ptb_xl, tmp_path)
    assert ptb_xl.requests == [(DAT, None)]
    assert content(tmp_path) == ptb_xl.files


def test_two_downloads_do_not_fill_one_root(ptb_xl: FileServer, tmp_path: Path) -> None:
    from ecglfm.sources.download.verified import Verified

    with Verified(tmp_path), pytest.raises(UserError, match="another download fills this folder"):
        download(ptb_xl, tmp_path)


def test_a_file_system_without_locks_can_be_filled(
    ptb_xl: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert download(ptb_xl, tmp_path).endswith("6 files, 6 of them fetched now, 0 were there")
