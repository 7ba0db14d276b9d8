"""Records of several segments: joined as `wfdb` joins them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecglfm.config import LEADS
from ecglfm.records import RecordError
from ecglfm.sources.wfdb_reader.files import read_wfdb, write_record
from tests.unit.sources.wfdb_reader.written import SIGNAL, edit, write

SAMPLES = np.random.default_rng(0).integers(-2000, 2000, (300, 4)).astype(np.int16)


def segment(folder: Path, name: str, start: int, stop: int, leads: list[str], gain: float = 200.0) -> None:
    names = ["I", "II", "V1", "V5"]
    digital = SAMPLES[start:stop, [names.index(lead) for lead in leads]]
    write_record(folder, name, digital, leads=leads, gain=gain, sampling_rate=500)


@pytest.mark.parametrize("gap", [0, 40])
def test_a_variable_layout_is_read_as_wfdb_reads_it(tmp_path: Path, gap: int):
    lines = ["l 4 500 0", *(f"~ 0 200(0)/mV 0 0 0 0 0 {lead}" for lead in ("I", "II", "V1", "V5"))]
    (tmp_path / "l.hea").write_text("\n".join(lines) + "\n")
    segment(tmp_path, "a", 0, 100, ["I", "II", "V1"])
    segment(tmp_path, "b", 100, 300, ["V5", "II"])
    gaps = [f"~ {gap}"] if gap else []
    lines = [f"m/{3 + len(gaps)} 4 500 {300 + gap}", "l 0", "a 100", *gaps, "b 200"]
    (tmp_path / "m.hea").write_text("\n".join(lines) + "\n")
    expected = wfdb.rdrecord(str(tmp_path / "m"), m2s=True)
    found = read_wfdb(tmp_path, "m")
    assert list(found.leads) == expected.sig_name
    np.testing.assert_array_equal(found.signal, expected.p_signal)
    assert np.isnan(found.signal).sum() == 100 + 2 * 200 + 4 * gap


def test_a_fixed_layout_is_read_as_wfdb_reads_it(tmp_path: Path):
    for name, start, stop in (("a", 0, 100), ("b", 100, 300)):
        segment(tmp_path, name, start, stop, ["I", "II", "V1", "V5"])
    (tmp_path / "m.hea").write_text("m/2 4 500 300\na 100\nb 200\n")
    np.testing.assert_array_equal(read_wfdb(tmp_path, "m").signal, wfdb.rdrecord(str(tmp_path / "m")).p_signal)


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
