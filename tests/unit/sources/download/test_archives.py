"""Archives of a database: unpacked once, and refused where they lead elsewhere."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from ecglfm.config import UserError
from tests.file_server import FileServer
from tests.unit.sources.download.home import content, download, figshare, zenodo


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(*members: tuple[str, bytes | str], mode: str = "w") -> bytes:
    """A tar of files, of links where a text says whereto."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            if isinstance(data, str):
                member.type, member.linkname = tarfile.SYMTYPE, data
                archive.addfile(member)
            else:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


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


def test_a_file_that_is_called_as_its_archive_stays(server: FileServer, tmp_path: Path) -> None:
    url = zenodo(server, **{"exams_part0.zip": zipped(**{"exams_part0.zip": b"inner", "exams.csv": b"exam_id"})})
    download(server, tmp_path, url=url)
    assert content(tmp_path) == {"exams_part0.zip": b"inner", "exams.csv": b"exam_id"}
    server.requests.clear()
    assert download(server, tmp_path, url=url).endswith("0 of them fetched now, 1 were there")
    assert content(tmp_path)["exams_part0.zip"] == b"inner"


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


@pytest.mark.parametrize(("name", "mode"), [("records.tar", "w"), ("records.tar.gz", "w:gz"), ("records.tar.gz", "w")])
def test_sphs_records_are_unpacked_and_not_fetched_twice(
    server: FileServer, tmp_path: Path, name: str, mode: str
) -> None:
    archive = tarred(("./records/A00001.h5", b"one"), ("records/A00002.h5", b"two"), mode=mode)
    url = figshare(server, {"metadata.csv": b"ECG_ID\n"}, {name: archive})
    assert download(server, tmp_path, url=url, tables=["metadata.csv"]).endswith(
        "2 files, 2 of them fetched now, 0 were there"
    )
    made = {"metadata.csv": b"ECG_ID\n", "records/A00001.h5": b"one", "records/A00002.h5": b"two"}
    assert content(tmp_path) == made
    assert download(server, tmp_path, url=url).endswith("2 files, 0 of them fetched now, 2 were there")
    (tmp_path / "records/A00002.h5").unlink()
    assert download(server, tmp_path, url=url).endswith("2 files, 1 of them fetched now, 1 were there")
    assert content(tmp_path) == made


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("../outside.h5", b"x")], "outside.h5' is not a path below the database's root"),
        ([("/outside.h5", b"x")], "outside.h5' is not a path below the database's root"),
        ([("a", "../.."), ("a/outside.h5", b"x")], "a is not a plain file"),
        ([("a.h5", b"x"), ("./a.h5", b"y")], "holds a file twice"),
    ],
)
def test_a_tar_that_leads_outside_is_refused(server: FileServer, tmp_path: Path, members: list, said: str) -> None:
    with pytest.raises(UserError, match=said):
        download(server, tmp_path / "db", url=figshare(server, {"records.tar": tarred(*members)}))
    assert not list(tmp_path.rglob("*.h5"))


@pytest.mark.parametrize(
    "broken", [b"no archive", tarred(("a.h5", b"x" * 4096), mode="w:gz")[:60]], ids=["text", "cut"]
)
def test_a_tar_that_is_broken_is_one_line(server: FileServer, tmp_path: Path, broken: bytes) -> None:
    with pytest.raises(UserError, match=r"records\.tar\.gz: cannot be unpacked: "):
        download(server, tmp_path, url=figshare(server, {"records.tar.gz": broken}))


def _stated(kind: bytes, size: int, content: bytes = b"") -> bytes:
    """A tar whose first header says so much of itself, and the name of which follows it."""
    member = tarfile.TarInfo("a.h5")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.USTAR_FORMAT) + content + tarred(("a.h5", b"x"))


def _sparse() -> bytes:
    """A tar with a file of holes, whose list is looked for until a line ends: through all of a gigabyte of zeros."""
    out, member = io.BytesIO(), tarfile.TarInfo("a.h5")
    member.size = 512
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(bytes(512)))
    return out.getvalue()


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (_stated(tarfile.XHDTYPE, 1 << 30), "a header of 1073741824 bytes"),
        (_stated(tarfile.GNUTYPE_LONGNAME, 1 << 30), "a header of 1073741824 bytes"),
        (_sparse(), "a sparse file"),
    ],
    ids=["pax", "name", "sparse"],
)
def test_a_tar_that_makes_much_of_itself_is_one_line(
    server: FileServer, tmp_path: Path, archive: bytes, said: str
) -> None:
    with pytest.raises(UserError, match=rf"records\.tar: cannot be unpacked: {said}"):
        download(server, tmp_path, url=figshare(server, {"records.tar": archive}))


def test_a_tar_of_names_alone_is_counted(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecglfm.sources.download.archives._MAX_MEMBERS", 2)
    with pytest.raises(UserError, match="cannot be unpacked: it holds more than 2 files and folders"):
        download(server, tmp_path, url=figshare(server, {"a.tar": tarred(*((f"{n}.h5", b"") for n in range(3)))}))


def _damaged_zip(method: int, name: str, was: bytes, now: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, b"samples" * 9)
    assert was in out.getvalue()
    return out.getvalue().replace(was, now)


def _lzma_body() -> bytes:
    """The bytes between the local header and the central directory, but for the first that say how it is packed."""
    whole = _damaged_zip(zipfile.ZIP_LZMA, "a.h5", b"PK", b"PK")
    return whole[whole.index(b"a.h5") + 4 + 9 : whole.index(b"PK\1\2")]


@pytest.mark.parametrize(
    "broken",
    [
        _damaged_zip(zipfile.ZIP_LZMA, "a.h5", _lzma_body(), b"\xff" * len(_lzma_body())),
        _damaged_zip(zipfile.ZIP_STORED, "ä.h5", "ä".encode(), b"\xff\xff"),
    ],
    ids=["lzma", "name"],
)
def test_a_zip_that_is_broken_is_one_line(server: FileServer, tmp_path: Path, broken: bytes) -> None:
    with pytest.raises(UserError, match=r"exams_part0\.zip: cannot be unpacked: "):
        download(server, tmp_path, url=zenodo(server, **{"exams_part0.zip": broken}))
