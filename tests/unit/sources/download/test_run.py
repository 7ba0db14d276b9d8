"""A download against a server on this machine: what arrives, what is asked for, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecglfm.config import DownloadSlice, UserError
from ecglfm.sources.download.run import run_download
from ecglfm.sources.download.transfer import Client
from tests.file_server import FileServer, serve

NAMES = [
    "ptbxl_database.csv",
    "scp_statements.csv",
    "records500/00000/00001_hr.hea",
    "records500/00000/00001_hr.dat",
    "records500/00000/00002_hr.hea",
    "records500/00000/00002_hr.dat",
]
DAT = "records500/00000/00001_hr.dat"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve() as files:
        yield files


@pytest.fixture
def ptb_xl(server: FileServer, real_data: Path) -> FileServer:
    """A few genuine files in PhysioNet's layout."""
    server.add_folder(real_data / "ptb-xl", NAMES)
    list_files(server)
    return server


def list_files(server: FileServer) -> None:
    listed = sorted((name, data) for name, data in server.files.items() if name != "SHA256SUMS.txt")
    lines = [f"{hashlib.sha256(data).hexdigest()} {name}\n" for name, data in listed]
    server.files["SHA256SUMS.txt"] = "".join(lines).encode()


def download(server: FileServer, root: Path, *, connections: int = 2, **options) -> str:
    config = DownloadSlice(source="s", root=str(root), **({"url": server.url} | options))
    client = Client(config.url, timeout=0.5, attempts=4, pause=0.01)
    return run_download(config, connections, client)


def content(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file() and ".download" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_every_file_arrives_as_it_is_and_is_asked_for_once(ptb_xl: FileServer, tmp_path: Path) -> None:
    shown = download(ptb_xl, tmp_path / "db")
    assert content(tmp_path / "db") == ptb_xl.files
    assert sorted(ptb_xl.requests) == sorted((name, None) for name in [*NAMES, "SHA256SUMS.txt"])
    assert shown == f"{tmp_path / 'db'}: 6 files, 6 of them fetched now, 0 were there"


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


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//x", "a\\..\\x", ".download/verified.txt", "a/."])
def test_a_listing_that_leads_outside_is_refused_before_any_file(ptb_xl: FileServer, tmp_path: Path, name: str) -> None:
    ptb_xl.files["SHA256SUMS.txt"] += f"{'0' * 64} {name}\n".encode()
    with pytest.raises(UserError, match=r"SHA256SUMS.txt: line 7: .* is not a path below the database's root"):
        download(ptb_xl, tmp_path / "db")
    assert [path for path, _ in ptb_xl.requests] == ["SHA256SUMS.txt"]


def test_a_symlink_in_the_root_leads_nowhere_else(ptb_xl: FileServer, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "db").mkdir()
    (tmp_path / "db/records500").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="db/records500/00000: a symlink leads out of the database's root"):
        download(ptb_xl, tmp_path / "db")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_line_that_is_no_checksum_is_named(ptb_xl: FileServer, tmp_path: Path) -> None:
    ptb_xl.files["SHA256SUMS.txt"] = b"<html>moved</html>\n"
    with pytest.raises(UserError, match="SHA256SUMS.txt: line 1: expected `sha256 path`, found '<html>moved</html>'"):
        download(ptb_xl, tmp_path)


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
    assert download(ptb_xl, tmp_path).startswith(f"{tmp_path}: 1 files")
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


def test_only_https_unless_the_user_says_otherwise(ptb_xl: FileServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'ftp://example.org/x/' is not an https:// URL"):
        download(ptb_xl, tmp_path, url="ftp://example.org/x/")
    ptb_xl.faults[DAT] = ["http"]
    with pytest.raises(UserError, match=r"1 of 6 files .*ftp://\S+ is not an https:// URL"):
        download(ptb_xl, tmp_path)


def test_unreachable_home_is_one_line(tmp_path: Path) -> None:
    with serve() as gone:
        pass
    with pytest.raises(UserError, match="the list of its files cannot be had: no connection"):
        download(gone, tmp_path)


def test_two_downloads_do_not_fill_one_root(ptb_xl: FileServer, tmp_path: Path) -> None:
    from ecglfm.sources.download.verified import Verified

    with Verified(tmp_path), pytest.raises(UserError, match="another download fills this folder"):
        download(ptb_xl, tmp_path)


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def zenodo(server: FileServer, **files: bytes) -> str:
    """Serve files as Zenodo's API does, and return the record's URL."""
    server.files |= {f"content/{name}": data for name, data in files.items()}
    entries = [
        {
            "key": name,
            "size": len(data),
            "checksum": f"md5:{hashlib.md5(data).hexdigest()}",
            "links": {"self": f"{server.url}content/{name}"},
        }
        for name, data in files.items()
    ]
    server.files["api/records/4916206"] = json.dumps({"files": entries}).encode()
    return f"{server.url}api/records/4916206"


def test_code15_is_unpacked_and_not_fetched_twice(server: FileServer, tmp_path: Path, real_data: Path) -> None:
    part = (real_data / "code-15/exams_part0.hdf5").read_bytes()
    archive = zipped(**{"exams_part0.hdf5": part})
    url = zenodo(server, **{"exams.csv": b"exam_id\n", "exams_part0.zip": archive})
    server.faults["content/exams_part0.zip"] = ["wrong"]
    server.faults["api/records/4916206"] = ["chunked"]
    download(server, tmp_path, url=url)
    assert content(tmp_path) == {"exams.csv": b"exam_id\n", "exams_part0.hdf5": part}
    server.requests.clear()
    assert download(server, tmp_path, url=url).endswith("2 files, 0 of them fetched now, 2 were there")
    assert server.requests == [("api/records/4916206", None)]


@pytest.mark.parametrize("name", ["../outside.hdf5", "/outside.hdf5"])
def test_an_archive_that_leads_outside_is_refused(server: FileServer, tmp_path: Path, name: str) -> None:
    url = zenodo(server, **{"exams_part0.zip": zipped(**{name: b"x"})})
    with pytest.raises(UserError, match="outside.hdf5' is not a path below the database's root"):
        download(server, tmp_path / "db", url=url)
    assert not list(tmp_path.rglob("outside.hdf5"))


def test_an_archive_with_a_link_is_refused(server: FileServer, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("exams_part0.hdf5")
    link.external_attr = 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "../../etc/passwd")
    url = zenodo(server, **{"exams_part0.zip": out.getvalue()})
    with pytest.raises(UserError, match="exams_part0.hdf5 is not a plain file"):
        download(server, tmp_path, url=url)


def test_no_room_is_said_before_the_first_file(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = zenodo(server, **{"exams.csv": b"x" * 1000})
    monkeypatch.setattr("ecglfm.sources.download.run.shutil.disk_usage", lambda _: type("Usage", (), {"free": 999}))
    with pytest.raises(UserError, match=r"0.0 GB are to come, the disk has room for 0.0 GB"):
        download(server, tmp_path, url=url)
    assert [path for path, _ in server.requests] == ["api/records/4916206"]


def test_an_answer_that_is_no_record_is_one_line(server: FileServer, tmp_path: Path) -> None:
    server.files["api/records/1"] = b'{"status": 404}'
    with pytest.raises(UserError, match="api/records/1: not a Zenodo record with files and checksums"):
        download(server, tmp_path, url=f"{server.url}api/records/1")
