"""One door to the libraries: what is opened, and what becomes of their errors."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import ecglfm
from ecglfm.records import RecordError
from ecglfm.sources.devices.vendor import library
from tests.unit.sources import vendor_file
from tests.unit.sources.vendor_file import wave


@pytest.mark.parametrize("error", [RecursionError("deep"), MemoryError(), KeyError("x"), ValueError("a\nb")])
def test_whatever_a_library_raises_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    opened: list[str] = []

    def parse(_: object, path: str) -> None:
        opened.append(path)
        raise error

    parser = library.importlib.import_module("ecgdatakit.parsing.parsers.scp_ecg").SCPECGParser
    monkeypatch.setattr(parser, "parse", parse)
    (tmp_path / "a").write_bytes(vendor_file.scp(wave()))
    with pytest.raises(RecordError) as raised:
        ecglfm.read_record(tmp_path / "a")
    said = " ".join(str(error).split()) or "MemoryError"
    assert str(raised.value) == f"signal_unreadable: a: an SCP-ECG file: {said}"
    assert opened[0].startswith("/proc/self/fd/")  # no name that another file could take meanwhile


@pytest.mark.parametrize(
    ("content", "name"),
    [(vendor_file.dicom([vendor_file.group(wave())]), "a DICOM file"), (vendor_file.scp(wave()), "a file of SCP-ECG")],
    ids=["DICOM", "SCP-ECG"],
)
def test_without_the_extra_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, name: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    (tmp_path / "a.hea").write_text("a 1 500 2\na.dat 16\n")  # a record that lies beside it
    for module in ("pydicom", "ecgdatakit"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        RecordError, match=rf"format_not_installed: a: {name} needs .*: pip install 'ecglfm\[formats\]'"
    ):
        ecglfm.read_record(path)
