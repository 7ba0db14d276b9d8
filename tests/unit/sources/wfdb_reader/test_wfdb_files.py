"""WFDB records: equal to wfdb's reading on genuine files, and one reason for every fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecglfm.config import LEADS
from ecglfm.records import RecordError
from ecglfm.sources.files import read_record
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.digital import checksums, read_digital
from ecglfm.sources.wfdb_reader.files import read_wfdb, write_record
from ecglfm.sources.wfdb_reader.header import parse_header, read_header

SIGNAL = (np.arange(12 * 500).reshape(500, 12) % 401 - 200).astype(np.int16)


def write(root: Path, name: str = "a", digital: np.ndarray = SIGNAL, **kwargs) -> None:
    write_record(
        root, name, digital, leads=kwargs.pop("leads", LEADS), gain=kwargs.pop("gain", 1000.0), sampling_rate=500
    )


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# --- genuine recordings ---------------------------------------------------------------------------------------------


def test_same_samples_as_wfdb_on_every_genuine_record(real_data: Path):
    headers = [h for h in sorted(real_data.rglob("*.hea")) if "mimic-iv-ecg" not in h.parts]
    compared = 0
    for path in headers:
        if "legacy" in str(path):
            continue  # wfdb refuses these
        expected = wfdb.rdrecord(str(path.with_suffix("")), physical=False)
        root = Root(real_data)
        folder, name = root.split(str(path.relative_to(real_data).with_suffix("")))
        header = read_header(root, folder, name)
        digital = read_digital(root, folder, header)
        assert digital.dtype == np.int16
        np.testing.assert_array_equal(digital, expected.d_signal, err_msg=str(path))
        assert header.sampling_rate == expected.fs
        compared += 1
    assert compared >= 336


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


def test_checksum_by_hand():
    assert checksums(np.array([[1, -1], [2, -3]], dtype=np.int16)).tolist() == [3, 65532]
    # 3 * 32767 = 98301 = 32765 modulo 65536
    assert checksums(np.full((3, 1), 32767, dtype=np.int16)).tolist() == [32765]


# --- header(5) ------------------------------------------------------------------------------------------------------


def test_missing_optional_fields_have_the_defaults_of_the_manual():
    header = parse_header("a 2\na.dat 16\na.dat 16 0/uV\n", "a")
    first, second = header.signals
    assert (header.sampling_rate, header.n_samples) == (250.0, None)
    assert (*first.stored[4:], first.initial, first.checksum) == (200.0, 0, "mV", 1.0, None, None)
    assert first.name == "record a, signal 0"
    assert (second.stored.gain, second.stored.unit_mv) == (200.0, 1e-3)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("a.dat 16+24 1000/mV 16 0 1 2 0 II", "offset", 24),
        ("a.dat 16x1+24 1000.0(0)/mV 16 0 1 2 0 II", "offset", 24),
        ("a.dat 16x2:3+24 1000 16 0 1 2 0 II", "skew", 3),
        ("a.dat 16x2:3+24 1000 16 0 1 2 0 II", "samples_per_frame", 2),
        ("a.dat 16 1716(6)/mV 0 0 -120 -32198 0 i", "baseline", 6),
        ("a.dat 16 200 11 1024 1 2 0 II", "baseline", 1024),
        ("a.dat 16 1e3/MV", "gain", 1000.0),
        ("a.dat 16 1000/mv", "unit_mv", 1.0),
        ("a.dat 16 1/uV", "unit_mv", 1e-3),
        ("a.dat 16 1/µV", "unit_mv", 1e-3),
        ("a.dat 16 1/V", "unit_mv", 1e3),
        ("a.dat 16 200 16 0 1 2 0 lead II, left", "name", "lead II, left"),
    ],
)  # fmt: skip
def test_signal_line(line: str, field: str, value: object):
    signal = parse_header(f"a 1 500 10\n{line}\n", "a").signals[0]
    assert (signal._asdict() | signal.stored._asdict())[field] == value


@pytest.mark.parametrize("end", ["05-May-2020 14:50:55", "08:44:00 23/07/2180", ""])
def test_record_line_ends_with_any_date(end: str):
    header = parse_header(f"a 1 500/1000(0) 5000 {end}\r\n# <age>: 51\r\na.dat 16\r\n", "a")
    assert (header.sampling_rate, header.n_samples, header.comments) == (500.0, 5000, ("<age>: 51",))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "header_empty"),
        ("\n# only a comment\n", "header_empty"),
        ("a twelve 500 5000\n", "header_invalid"),
        ("a 2 500 10\na.dat 16\n", "header_invalid"),
        ("a 1 500 10\na.dat 16\na.dat 16\n", "header_invalid"),
        ("a 0 500 10\n", "header_invalid"),
        ("a 1 0 10\na.dat 16\n", "header_invalid"),
        ("a 1 -500 10\na.dat 16\n", "header_invalid"),
        ("a 1 500 10\na.dat sixteen\n", "header_invalid"),
        ("a 1 500 10\na.dat 16 1000 II\n", "header_invalid"),
        ("a 1 500 10\na.dat 16 nan/mV\n", "header_invalid"),
        ("a 1 500 10\n../../etc/passwd 16\n", "path_outside_root"),
        ("a 1 500 10\n/etc/passwd 16\n", "path_outside_root"),
        ("a 1 500 10\n.. 16\n", "path_outside_root"),
        ("a 1 500 10\nsub/a.dat 16\n", "path_outside_root"),
        ("a 1 500 10\n..\\a.dat 16\n", "path_outside_root"),
        ("a 1 500 10\n- 16\n", "path_outside_root"),
        ("a/2 1 500 10\nb 5\n../b 5\n", "path_outside_root"),
        ("a/2 1 500 10\nb 5\ns3://b 5\n", "path_outside_root"),
    ],
)
def test_header_faults(text: str, reason: str):
    with pytest.raises(RecordError) as error:
        parse_header(text, "a")
    assert error.value.reason == reason


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


def test_many_segments_of_one_file_do_not_fill_the_memory(tmp_path: Path):
    write(tmp_path, "a")
    segments = 30_000
    (tmp_path / "m.hea").write_text(f"m/{segments} 12 500 {500 * segments}\n" + "a 500\n" * segments)
    with pytest.raises(RecordError, match="signal_too_long"):
        read_wfdb(tmp_path, "m")


def test_multi_segment_record(tmp_path: Path):
    write(tmp_path, "a")
    write(tmp_path, "b", SIGNAL[:100])
    (tmp_path / "m.hea").write_text("m/2 12 500 600\na 500\nb 100\n")
    record = read_wfdb(tmp_path, "m")
    np.testing.assert_allclose(record.signal, np.concatenate([SIGNAL, SIGNAL[:100]]) / 1000.0)
    assert record.leads == LEADS
    edit(tmp_path / "b.hea", "b.dat", "/etc/passwd")
    with pytest.raises(RecordError, match="path_outside_root"):
        read_wfdb(tmp_path, "m")


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
