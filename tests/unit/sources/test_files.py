"""One recording from a file that a person names, whatever wrote it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

import ecglfm
from ecglfm.config import LEADS
from ecglfm.records import RecordError
from ecglfm.sources.wfdb_reader.files import write_record
from tests.unit.sources.muse_file import LEADS as EIGHT
from tests.unit.sources.muse_file import muse, rhythm


@pytest.mark.parametrize("ending", ["", ".hea", ".dat"])
def test_wfdb(real_data: Path, ending: str):
    path = real_data / "ptb-xl/records500/00000/00001_hr"
    record = ecglfm.read_record(f"{path}{ending}")
    np.testing.assert_allclose(record.signal, wfdb.rdrecord(str(path)).p_signal, atol=1e-9)
    assert record.sampling_rate == 500


@pytest.mark.parametrize("ending", ["", ".HEA", ".DAT"])
def test_wfdb_in_capitals(tmp_path: Path, ending: str):
    digital = np.arange(24, dtype=np.int16).reshape(2, 12)
    write_record(tmp_path, "A001", digital, leads=LEADS, gain=1000.0, sampling_rate=500)
    for name in ("A001.hea", "A001.dat"):
        (tmp_path / name).rename(tmp_path / name.upper())
    np.testing.assert_array_equal(ecglfm.read_record(tmp_path / f"A001{ending}").signal, digital / 1000)


def test_muse(tmp_path: Path):
    (tmp_path / "x.XML").write_bytes(muse(rhythm({key: [100, -100] for key in EIGHT})))
    record = ecglfm.read_record(tmp_path / "x.XML")
    assert record.leads == EIGHT
    np.testing.assert_allclose(record.signal, np.array([[0.488] * 8, [-0.488] * 8]))


def test_code15(real_data: Path):
    record = ecglfm.read_record(real_data / "code-15/exams_part0.hdf5#795649")
    assert record.signal.shape == (2934, 12)
    assert record.sampling_rate == 400


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("exams_part0.hdf5", r"exam_missing: 'exams_part0\.hdf5' names no exam; write FILE\.hdf5#EXAM_ID"),
        ("exams_part0.hdf5#1.5", "exam_missing"),
        ("exams_part0.hdf5#7", "exam_missing: exams_part0.hdf5 holds exam 7 0 times"),
        ("exams_part5.hdf5#7", "signal_missing: exams_part5.hdf5 does not exist"),
        ("none.xml", "signal_missing: none.xml does not exist"),
        ("a.npy", r"rate_unknown: .*/a\.npy: an array says neither rate nor leads.*numpy_folder"),
        ("a.npz", "rate_unknown"),
        ("none", "header_missing"),
    ],
)
def test_what_cannot_be_read(real_data: Path, name: str, message: str):
    with pytest.raises(RecordError, match=message):
        ecglfm.read_record(real_data / "code-15" / name)


@pytest.mark.parametrize(
    "name", ["x_resp_mmHg", "c_zero", "c_zero_nolen", "m_allLead", "m_paren", "b_nodesc", "n_bom", "1.2.840.113619.2",
             "u_millivolt"]
)  # fmt: skip
def test_variants_of_a_genuine_record_are_that_record(odd_inputs: Path, real_data: Path, name: str):
    expected = ecglfm.read_record(real_data / "ptb-xl/records500/00000/00001_hr").microvolts()
    found = ecglfm.read_record(odd_inputs / "wfdb" / name, file_leads=LEADS if name == "b_nodesc" else ())
    np.testing.assert_array_equal(found.microvolts().signal, expected.signal)
