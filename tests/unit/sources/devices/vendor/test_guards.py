"""Files that would take a library more memory or time than they are worth."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import ecglfm
from ecglfm.records import RecordError
from ecglfm.sources.devices.vendor.guards import MAX_BYTES, MAX_UNPACKED, unpacked_size
from tests.unit.sources import vendor_file
from tests.unit.sources.vendor_file import lzw, wave, xli


@pytest.mark.parametrize("seed", range(5))
def test_the_size_of_packed_leads_is_known_without_unpacking(seed: int) -> None:
    random = np.random.default_rng(seed)
    leads = [np.cumsum(random.integers(-9, 9, 700)), np.zeros(5000, int), random.integers(-3000, 3000, 2000)]
    assert unpacked_size(b"".join(map(xli, leads))) == 2 * (700 + 5000 + 2000)


@pytest.mark.parametrize("content", [b"", b"\1", bytes(8), struct.pack("<ihh", -1, 0, 0) + b"abc"])
def test_no_chunk_at_all(content: bytes) -> None:
    assert unpacked_size(content) == 0


def test_a_bomb_is_not_set_off(tmp_path: Path) -> None:
    packed = lzw(bytes(3 * MAX_UNPACKED))
    assert len(packed) < 30_000
    content = struct.pack("<ihh", len(packed), 0, 0) + packed
    (tmp_path / "a.xml").write_bytes(vendor_file.sierra(wave(), content=content))
    with pytest.raises(RecordError, match="signal_too_long: a.xml: unpacks to 2"):
        ecglfm.read_record(tmp_path / "a.xml")


def test_a_file_longer_than_recordings_of_its_format_are(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.write(vendor_file.scp(wave()))
        file.truncate(MAX_BYTES["scp"] + 1)
    with pytest.raises(RecordError, match="signal_too_long: a: 2097153 bytes; at most 2097152 are read"):
        ecglfm.read_record(tmp_path / "a")
