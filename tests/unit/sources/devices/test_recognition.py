"""What a file is, by its content."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

import ecglfm
from ecglfm.config import LEADS
from ecglfm.records import RecordError
from ecglfm.sources.devices.recognition import EDF, MUSE, SCP, SIERRA, START, identify, recognise
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.files import write_record
from tests.unit.sources import vendor_file
from tests.unit.sources.muse_file import LEADS as EIGHT
from tests.unit.sources.muse_file import muse, rhythm
from tests.unit.sources.vendor_file import wave

PDF = b"%PDF-1.7\n" + bytes(600)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b")
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_xml_goes_by_its_root_element_in_any_encoding(encoding: str) -> None:
    text = "\n <!-- <ECG> --><p:restingecgdata xmlns:p='x'><RestingECG/>"
    text = f"<?xml version='1.0' encoding='{encoding.removesuffix('-sig')}'?>{text}"
    assert recognise(text.encode(encoding)) is SIERRA


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (PDF, "a PDF"),
        (_zip(), "a ZIP archive"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "a picture"),
        (b"\xffBIOSEMI" + bytes(300), "a BDF file"),
        (b"\x40\x20MFR " + bytes(50), "an MFER file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "XML of <svg>"),
        (b"<CardiologyXML>"[:9] + b"X>", "XML of <CardioloX>"),
    ],
)
def test_what_is_not_read_is_named_all_the_same(start: bytes, name: str) -> None:
    found = recognise(start)
    assert found is not None
    assert (found.name, found.reader) == (name, "")
    assert found.advice


@pytest.mark.parametrize("start", [b"", b"0       ", b"<", b"<<<", bytes(4096), b"I,II\n1,2\n", b"a 12 500 5000\n"])
def test_what_is_nothing_that_is_known(start: bytes) -> None:
    assert recognise(start) is None


def test_edf_and_scp_go_by_more_than_their_first_bytes() -> None:
    assert recognise(vendor_file.scp(wave())[:START]) is SCP
    assert recognise(b"0       " + b" " * 228 + b"10      1       2   ") is EDF
    assert recognise(b"0       " + b" " * 228 + b"ten     1       2   ") is None
    assert recognise(vendor_file.scp(wave())[:31]) is None


def test_a_file_that_is_not_there_and_one_outside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a.xml").write_bytes(b"<RestingECG/>")
    (tmp_path / "in/b.xml").symlink_to(tmp_path / "a.xml")
    assert identify(Root(tmp_path), "a.xml") is MUSE
    assert identify(Root(tmp_path / "in"), "none.xml") is None
    with pytest.raises(RecordError, match="path_outside_root"):
        identify(Root(tmp_path / "in"), "b.xml")


# ---- beside a WFDB record of the same name


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """`a.hea`, whose only lead is flat."""
    write_record(tmp_path, "a", np.zeros((4, 12), np.int16), leads=LEADS, gain=1000.0, sampling_rate=100)
    return tmp_path


def test_a_file_beside_a_wfdb_record_is_never_taken_for_it(record: Path) -> None:
    (record / "a.pdf").write_bytes(PDF)
    with pytest.raises(RecordError, match=r"format_unsupported: a\.pdf: a PDF; a picture of a recording is not read"):
        ecglfm.read_record(record / "a.pdf")
    (record / "a.xyz").write_bytes(b"what is it")
    with pytest.raises(RecordError, match=r"format_unknown: .*/a\.xyz: in none of the formats that are known"):
        ecglfm.read_record(record / "a.xyz")
    for name in ("a.dcm", "a.ECG"):
        (record / name).write_bytes(muse(rhythm({lead: [100, -100] for lead in EIGHT})))
        assert ecglfm.read_record(record / name).sampling_rate == 500  # MUSE, whatever its ending
    assert ecglfm.read_record(record / "a").sampling_rate == 100


def test_a_signal_file_is_its_record_whatever_its_ending(record: Path) -> None:
    (record / "a.dat").rename(record / "a.d16")
    (record / "a.hea").write_text((record / "a.hea").read_text().replace("a.dat", "a.d16"))
    assert ecglfm.read_record(record / "a.d16").sampling_rate == 100
