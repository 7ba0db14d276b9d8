"""A download against a server on this machine: what arrives, what is asked for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import UserError
from tests.file_server import FileServer
from tests.unit.sources.download.home import DAT, NAMES, content, download, list_files, zenodo


def test_every_file_arrives_as_it_is_and_is_asked_for_once(ptb_xl: FileServer, tmp_path: Path) -> None:
    shown = download(ptb_xl, tmp_path / "db")
    assert content(tmp_path / "db") == ptb_xl.files
    assert sorted(ptb_xl.requests) == sorted((name, None) for name in [*NAMES, "SHA256SUMS.txt"])
    assert shown == f"{tmp_path / 'db'}: 6 files, 6 of them fetched now, 0 were there"


def test_what_cannot_be_fetched_is_named_and_the_rest_is_there(ptb_xl: FileServer, tmp_path: Path) -> None:
    ptb_xl.faults[DAT] = ["wrong"] * 9
    ptb_xl.faults["scp_statements.csv"] = ["404"]
    with pytest.raises(UserError) as raised:
        download(ptb_xl, tmp_path, connections=1)
    (line,) = str(raised.value).splitlines()
    assert "2 of 6 files could not be fetched, e.g. " in line
    assert f"{DAT}: wrong sha256 checksum" in line
    left = {name: data for name, data in ptb_xl.files.items() if name not in {DAT, "scp_statements.csv"}}
    assert content(tmp_path) == left
    ptb_xl.faults.clear()
    assert download(ptb_xl, tmp_path).endswith("6 files, 2 of them fetched now, 4 were there")


def test_patterns_choose_and_tables_always_come(ptb_xl: FileServer, tmp_path: Path) -> None:
    download(ptb_xl, tmp_path, only=["records500/*/00002_hr.*"], tables=["ptbxl_database.csv"])
    assert set(content(tmp_path)) == {
        "SHA256SUMS.txt",
        "ptbxl_database.csv",
        "records500/00000/00002_hr.hea",
        "records500/00000/00002_hr.dat",
    }
    with pytest.raises(UserError, match=r"none of its files agrees with `download.only: \['records50/\*'\]`"):
        download(ptb_xl, tmp_path / "other", only=["records50/*"])


def test_a_symlink_in_the_root_leads_nowhere_else(ptb_xl: FileServer, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "db").mkdir()
    (tmp_path / "db/records500").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="db/records500/00000: a symlink leads out of the database's root"):
        download(ptb_xl, tmp_path / "db")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ptbxl_database.csv/below.dat", "File exists"),
        ("records500", "a folder of that name is there"),
        (f"{'a' * 252}.dat", "File name too long"),
    ],
)
def test_a_name_that_the_disk_refuses_is_that_files_error(
    ptb_xl: FileServer, tmp_path: Path, name: str, reason: str
) -> None:
    ptb_xl.files[name] = b"odd"
    (tmp_path / "records500").mkdir()
    (tmp_path / "ptbxl_database.csv").write_bytes(ptb_xl.files["ptbxl_database.csv"])
    list_files(ptb_xl)
    for _ in range(2):
        with pytest.raises(UserError) as raised:
            download(ptb_xl, tmp_path)
        (line,) = str(raised.value).splitlines()
        assert f"1 of 7 files could not be fetched, e.g. {name}: {reason}; the others are there" in line
    assert content(tmp_path) == {path: data for path, data in ptb_xl.files.items() if path != name}


def test_no_room_is_said_before_the_first_file(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = zenodo(server, **{"exams.csv": b"x" * 1000})
    monkeypatch.setattr("ecglfm.sources.download.run.shutil.disk_usage", lambda _: type("Usage", (), {"free": 999}))
    with pytest.raises(UserError, match=r"0.0 GB are to come, the disk has room for 0.0 GB"):
        download(server, tmp_path, url=url)
    assert [path for path, _ in server.requests] == ["api/records/4916206"]
