"""Formats that wfdb reads for us: checked before they are handed to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecglfm.records import RecordError
from ecglfm.sources.wfdb_reader.files import read_wfdb
from tests.unit.sources.wfdb_reader.written import edit


def _write_format_310(root: Path) -> np.ndarray:
    """Three 10-bit samples in two little-endian pairs of bytes, packed as signal(5) draws it."""
    digital = np.rint(200 * np.sin(np.arange(1000).reshape(500, 2) / 30.0)).astype(np.int64)
    first, second, third = np.pad(digital.reshape(-1) & 0x3FF, (0, 2)).reshape(-1, 3).T
    packed = [
        (first & 0x7F) << 1,
        first >> 7 | (third & 0x1F) << 3,
        (second & 0x7F) << 1,
        second >> 7 | third >> 5 << 3,
    ]
    (root / "b.dat").write_bytes(np.stack(packed, axis=1).astype(np.uint8).tobytes())
    ends = [f"{digital[0, k]} {digital[:, k].sum() % 65536} 0 {name}" for k, name in enumerate(["I", "II"])]
    (root / "b.hea").write_text("b 2 250 500\n" + "".join(f"b.dat 310 200 10 0 {end}\n" for end in ends))
    return digital / 200.0


def test_other_format_goes_to_wfdb(tmp_path: Path):
    signal = _write_format_310(tmp_path)
    record = read_wfdb(tmp_path, "b")
    np.testing.assert_array_equal(record.signal, signal)
    assert (record.leads, record.sampling_rate) == (("I", "II"), 250.0)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda root: (root / "b.dat").unlink(), "signal_missing"),
        (lambda root: (root / "b.dat").write_bytes(b""), "signal_empty"),
        (lambda root: (root / "b.dat").write_bytes((root / "b.dat").read_bytes()[:300]), "signal_unreadable"),
        (lambda root: (root / "b.dat").write_bytes(bytes(1336)), "signal_checksum"),
        (lambda root: edit(root / "b.hea", "b.dat", "/etc/passwd"), "path_outside_root"),
        (lambda root: edit(root / "b.hea", "2 250 500", "2 250 99999999999"), "signal_too_long"),
        (lambda root: edit(root / "b.hea", " 310 ", " 310x99999999999 "), "signal_too_long"),
        (lambda root: edit(root / "b.hea", " 310 ", " 310:99999999999 "), "signal_too_long"),
        (lambda root: edit(root / "b.hea", " 310 ", " 999 "), "format_unknown"),
    ],
)
def test_other_format_is_checked_first(tmp_path: Path, damage, reason: str):
    _write_format_310(tmp_path)
    damage(tmp_path)
    with pytest.raises(RecordError) as error:
        read_wfdb(tmp_path, "b")
    assert error.value.reason == reason


@pytest.mark.parametrize("more", ["x2", ":2"])
def test_what_wfdb_cannot_read_of_format_61_is_said_with_its_cure(tmp_path: Path, more: str):
    """Without frames of several samples and without skew our own reader takes it."""
    (tmp_path / "b.dat").write_bytes(bytes(3000))
    (tmp_path / "b.hea").write_text(f"b 2 250 500\nb.dat 61{more} 200 16 0 0 0 0 I\nb.dat 61 200 16 0 0 0 0 II\n")
    with pytest.raises(RecordError, match=r"format_unsupported: b.hea: I: format 61 with .* convert it to format 16"):
        read_wfdb(tmp_path, "b")
    edit(tmp_path / "b.hea", more, "")
    assert read_wfdb(tmp_path, "b").signal.shape == (500, 2)
