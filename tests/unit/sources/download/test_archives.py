"""Archives of a database: unpacked once, and refused where they lead elsewhere."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from ecglfm.config import UserError
from tests.file_server import FileServer
from tests.unit.sources.download.home import content, download, zenodo


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
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
