"""From the content of a file to what reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.records import RecordError
from ecglfm.sources.devices.readers import known_format, read_device_file, read_device_head
from ecglfm.sources.inside import Root
from tests.unit.sources import vendor_file
from tests.unit.sources.muse_file import LEADS as EIGHT
from tests.unit.sources.muse_file import muse, rhythm
from tests.unit.sources.vendor_file import TWELVE, wave


def test_our_own_readers_and_those_of_libraries(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(muse(rhythm({lead: [100, -100] for lead in EIGHT})))
    (tmp_path / "b").write_bytes(vendor_file.scp(wave()))
    root = Root(tmp_path)
    found = {name: known_format(root, name) for name in ("a", "b")}
    assert {name: one.reader for name, one in found.items()} == {"a": "muse", "b": "scp"}
    assert [read_device_file(root, name, one).leads for name, one in found.items()] == [EIGHT, TWELVE]
    assert "PatientAge" in read_device_head(root, "a", found["a"]).native
    assert read_device_head(root, "b", found["b"]).patient == "P7"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.7", "format_unsupported: a: a PDF; a picture of a recording is not read; export the recording as"),
        (b"<html/>", "format_unsupported: a: XML of <html>; no such recording is known"),
        (b"what", "format_unknown: a: in none of the formats that are known"),
    ],
)
def test_what_nothing_reads(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(RecordError, match=message):
        known_format(Root(tmp_path), "a")
