"""WFDB records: equal to wfdb's reading on genuine files, and one reason for every fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecglfm.config import LEADS
from ecglfm.records import RecordError
from ecglfm.sources.files import read_record
from ecglfm.sources.wfdb_reader.files import read_wfdb
from tests.unit.sources.wfdb_reader.written import SIGNAL, edit, write

# --- genuine recordings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    ["ludb/data/1", "challenge-2021/training/ptb/g1/S0001", "challenge-2021/training/ningbo/g1/JS11438"],
    ids=["gain and baseline per lead", "unit mv, 1000 Hz", "checksums of 24-byte offset"],
)
def test_same_millivolts_as_wfdb(real_data: Path, record: str):
    expected = wfdb.rdrecord(str(real_data / record))
    found = read_wfdb(real_data, record)
    np.testing.assert_array_equal(found.signal, expected.p_signal)
    assert found.sampling_rate == expected.fs
    assert found.leads == LEADS


def test_record_name_ending_in_mat_is_read(real_data: Path):
    """wfdb 4.3.1: `invalid syntax in record line`."""
    record = read_wfdb(real_data, "challenge-2020-legacy-headers/georgia/E00271")
    np.testing.assert_array_equal(record.signal[0, :4], [0.0, -0.073, -0.073, 0.036])  # first column of the header
    assert record.comments[0].startswith("Age:")


def test_legacy_records_are_read_as_wfdb_reads_them_once_the_name_is_mended(real_data: Path, tmp_path: Path):
    headers = sorted((real_data / "challenge-2020-legacy-headers").rglob("*.hea"))
    for path in headers:
        first, rest = path.read_text().split(" ", 1)
        assert first == f"{path.stem}.mat"
        (tmp_path / path.name).write_text(f"{path.stem} {rest}")
        (tmp_path / f"{path.stem}.mat").write_bytes(path.with_suffix(".mat").read_bytes())
        expected = wfdb.rdrecord(str(tmp_path / path.stem), physical=False)
        np.testing.assert_array_equal(read_wfdb(path.parent, path.stem).digital, expected.d_signal)
    assert headers


# --- what we write --------------------------------------------------------------------------------------------------


def test_written_record_is_read_by_wfdb(tmp_path: Path):
    write(tmp_path, gain=200.0)
    expected = wfdb.rdrecord(str(tmp_path / "a"), physical=False)
    np.testing.assert_array_equal(expected.d_signal, SIGNAL)
    assert expected.checksum == (SIGNAL.astype(int).sum(0) % 65536).tolist()
    assert expected.init_value == SIGNAL[0].tolist()
    np.testing.assert_array_equal(wfdb.rdrecord(str(tmp_path / "a")).p_signal, read_wfdb(tmp_path, "a").signal)


# --- header(5) ------------------------------------------------------------------------------------------------------


# --- faults of a record on disk -------------------------------------------------------------------------------------


def _truncate(root: Path) -> None:
    (root / "a.dat").write_bytes((root / "a.dat").read_bytes()[:-2])


def _link_outside(root: Path) -> None:
    outside = root.parent / "secret.dat"
    outside.write_bytes((root / "a.dat").read_bytes())
    (root / "a.dat").unlink()
    (root / "a.dat").symlink_to(outside)


def _flip_bit(root: Path) -> None:
    content = bytearray((root / "a.dat").read_bytes())
    content[6001] ^= 1
    (root / "a.dat").write_bytes(content)


FAULTS = {
    "header removed": (lambda root: (root / "a.hea").unlink(), "header_missing", "a.hea"),
    "header empty": (lambda root: (root / "a.hea").write_text(""), "header_empty", "a.hea"),
    "header binary": (lambda root: (root / "a.hea").write_bytes(bytes(range(256)) * 4), "header_invalid", "a.hea"),
    "header huge": (lambda root: (root / "a.hea").write_bytes(b"#" * (1 << 21)), "header_invalid", "longer"),
    "signal removed": (lambda root: (root / "a.dat").unlink(), "signal_missing", "a.dat"),
    "signal is a folder": (lambda root: ((root / "a.dat").unlink(), (root / "a.dat").mkdir()), "signal_missing", "a.dat"),
    "signal empty": (lambda root: (root / "a.dat").write_bytes(b""), "signal_empty", "a.dat"),
    "last byte lost": (_truncate, "signal_truncated", "499 of 500"),
    "one bit flipped": (_flip_bit, "signal_checksum", "checksum"),
    "first sample wrong": (lambda root: edit(root / "a.hea", "16 0 -200 ", "16 0 -199 "), "signal_checksum", "I: first"),
    "link leads out": (_link_outside, "path_outside_root", "secret.dat"),
    "header leads out": (lambda root: edit(root / "a.hea", "a.dat", "../../etc/passwd"), "path_outside_root", "etc/passwd"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_has_its_reason(tmp_path: Path, fault: str):
    root = tmp_path / "database"
    root.mkdir()
    write(root)
    damage, reason, detail = FAULTS[fault]
    damage(root)
    with pytest.raises(RecordError, match=detail) as error:
        read_wfdb(root, "a")
    assert error.value.reason == reason


@pytest.mark.parametrize("path", ["../a", "/etc/passwd", "b/../../a", "", "b\\a", "a\0"])
def test_table_cannot_point_outside(tmp_path: Path, path: str):
    (tmp_path / "root").mkdir()
    write(tmp_path)
    with pytest.raises(RecordError) as error:
        read_wfdb(tmp_path / "root", path)
    assert error.value.reason == "path_outside_root"


def test_folder_linked_outside_is_refused_and_inside_is_read(tmp_path: Path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "real", outside):
        folder.mkdir(parents=True)
        write(folder)
    (root / "away").symlink_to(outside)
    (root / "here").symlink_to(root / "real")
    assert read_wfdb(root, "here/a").signal.shape == (500, 12)
    with pytest.raises(RecordError, match="path_outside_root"):
        read_wfdb(root, "away/a")


def test_invalid_sample_is_nan_and_the_others_keep_their_value(tmp_path: Path):
    digital = SIGNAL.copy()
    digital[7, 3] = -32768
    write(tmp_path, digital=digital)
    record = read_wfdb(tmp_path, "a")
    assert np.argwhere(np.isnan(record.signal)).tolist() == [[7, 3]]
    np.testing.assert_array_equal(record.signal[7, 2], SIGNAL[7, 2] / 1000.0)


def test_units_and_gain(tmp_path: Path):
    write(tmp_path)
    edit(tmp_path / "a.hea", "1000.0(0)/mV", "0.5(100)/uV")
    np.testing.assert_allclose(read_wfdb(tmp_path, "a").signal, (SIGNAL - 100.0) / 0.5 / 1000.0, rtol=1e-12)


def test_length_comes_from_the_file_when_the_header_states_none(tmp_path: Path):
    write(tmp_path)
    edit(tmp_path / "a.hea", "a 12 500 500", "a 12 500")
    assert len(read_wfdb(tmp_path, "a").signal) == 500
    _truncate(tmp_path)
    with pytest.raises(RecordError, match="signal_truncated"):
        read_wfdb(tmp_path, "a")


# --- formats that wfdb reads for us ---------------------------------------------------------------------------------


# --- read_record ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "a.hea", "a.dat"])
def test_read_record_takes_the_name_or_any_file(tmp_path: Path, name: str):
    write(tmp_path, leads=[lead.upper() for lead in LEADS])
    record = read_record(tmp_path / name)
    assert record.leads == LEADS
    np.testing.assert_array_equal(record.signal, SIGNAL / 1000.0)


def test_read_record_says_what_it_looked_for(tmp_path: Path):
    with pytest.raises(RecordError, match="nothing.hea"):
        read_record(tmp_path / "nothing.dat")
