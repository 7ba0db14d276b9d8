"""DICOM waveforms: groups, codes, scales, and files that have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

import ecglfm
from ecglfm.records import RecordError
from tests.unit.sources.vendor_file import TWELVE, dicom, group, wave

STEPS = wave()


def read(folder: Path, *groups: Dataset, syntax: str | None = None) -> ecglfm.records.Record:
    (folder / "a.dcm").write_bytes(dicom(groups, **({"syntax": syntax} if syntax else {})))
    return ecglfm.read_record(folder / "a.dcm")


def test_a_genuine_file_as_pydicom_reads_it() -> None:
    """A Mortara ELI 250's, with an average beat beside the rhythm, 1000 Hz; it comes with pydicom."""
    path = get_testdata_file("waveform_ecg.dcm", download=False)
    record = ecglfm.read_record(path)
    assert (record.leads, record.sampling_rate) == (TWELVE, 1000)
    assert_allclose(record.signal, pydicom.dcmread(path).waveform_array(0) / 1000, atol=1e-12)


@pytest.mark.parametrize("first", [True, False])
def test_the_average_beat_is_not_the_recording_wherever_it_stands(tmp_path: Path, first: bool) -> None:
    beat, rhythm = group(STEPS[:5], originality="DERIVED"), group(STEPS)
    record = read(tmp_path, *([beat, rhythm] if first else [rhythm, beat]))
    assert_allclose(record.signal, STEPS * 0.005, atol=1e-12)


def test_groups_of_the_same_time_are_one_recording(tmp_path: Path) -> None:
    record = read(tmp_path, group(STEPS[:, :6], TWELVE[:6]), group(STEPS[:, 6:], TWELVE[6:]))
    assert record.leads == TWELVE
    assert_allclose(record.signal, STEPS * 0.005, atol=1e-12)


def test_groups_of_other_times(tmp_path: Path) -> None:
    later = group(STEPS[:, 6:], TWELVE[6:])
    later.MultiplexGroupTimeOffset = "2500"
    with pytest.raises(
        RecordError, match="header_invalid: a.dcm: leads in groups .* that do not go together: 20 at 500"
    ):
        read(tmp_path, group(STEPS[:, :6], TWELVE[:6]), later)
    record = read(tmp_path, group(STEPS), group(STEPS[:, :1], ["II"], rate=250))  # a strip beside all twelve
    assert (record.leads, record.sampling_rate) == (TWELVE, 500)


def test_padding_units_and_names(tmp_path: Path) -> None:
    item = group(STEPS[:, :3], ["I", "Lead II (Einthoven)", "MDC_ECG_LEAD_V1"])
    item.WaveformPaddingValue = np.int16(STEPS[4, 0]).tobytes()
    item["WaveformPaddingValue"].VR = "OW"
    item.ChannelDefinitionSequence[1].ChannelSensitivityUnitsSequence[0].CodeValue = "mm[Hg]"
    item.ChannelDefinitionSequence[1].ChannelSensitivityUnitsSequence[0].CodeMeaning = "pressure"
    item.ChannelDefinitionSequence[2].ChannelBaseline = "100"
    record = read(tmp_path, item)
    assert (record.leads, record.foreign) == (("I", "II", "V1"), {1: "mm[Hg] pressure"})
    assert_array_equal(np.isnan(record.signal[:, 0]), STEPS[:, 0] == STEPS[4, 0])
    known = ~np.isnan(record.signal[:, 2])
    assert known.any()
    assert_allclose(record.signal[known, 2], STEPS[known, 2] * 0.005 + 0.1, atol=1e-12)


def test_high_bytes_first(tmp_path: Path) -> None:
    item = group(STEPS)
    item.WaveformData = STEPS.astype(">i2").tobytes()
    assert_allclose(read(tmp_path, item, syntax=ExplicitVRBigEndian).signal, STEPS * 0.005, atol=1e-12)


def test_files_that_hold_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="signal_missing: a.dcm: a DICOM file of no waveform, modality ECG"):
        read(tmp_path)
    with pytest.raises(RecordError, match="signal_missing: a.dcm: a DICOM file of only averaged beats"):
        read(tmp_path, group(STEPS, originality="DERIVED"))
    with pytest.raises(RecordError, match="format_unsupported: a.dcm: a deflated DICOM file"):
        read(tmp_path, group(STEPS), syntax=DeflatedExplicitVRLittleEndian)
    short = group(STEPS)
    short.NumberOfWaveformSamples = 21
    with pytest.raises(RecordError, match="signal_truncated: a.dcm: 480 of 504 bytes"):
        read(tmp_path, short)
    short.NumberOfWaveformSamples = 1 << 31
    with pytest.raises(RecordError, match="signal_too_long"):
        read(tmp_path, short)


def test_sequences_within_sequences_end_in_one_sentence(tmp_path: Path) -> None:
    opened = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x00\x54\x00\x01SQ\0\0\xff\xff\xff\xff"
    (tmp_path / "a").write_bytes(dicom([]) + b"\x00\x54\x00\x01SQ\0\0\xff\xff\xff\xff" + opened * 5000)
    with pytest.raises(RecordError, match="signal_unreadable: a: a DICOM file"):
        ecglfm.read_record(tmp_path / "a")


@pytest.mark.parametrize(("syntax", "order"), [(None, "little"), (ExplicitVRBigEndian, "big")])
def test_items_without_end_are_counted_before_they_are_made(tmp_path: Path, syntax: str | None, order: str) -> None:
    """Each takes eight bytes of a file and kilobytes of memory: 64 MB of them took minutes and 16 GB."""
    tag, item = [(0x5400, 0x0100), (0xFFFE, 0xE000)]
    head = b"".join(part.to_bytes(2, order) for part in tag) + b"SQ\0\0"
    items = (b"".join(part.to_bytes(2, order) for part in item) + bytes(4)) * ((1 << 14) + 1)
    whole = dicom([], **({"syntax": syntax} if syntax else {})) + head + len(items).to_bytes(4, order) + items
    (tmp_path / "a.dcm").write_bytes(whole)
    with pytest.raises(RecordError, match=r"header_invalid: a\.dcm: more than 16384 items in its sequences"):
        ecglfm.read_record(tmp_path / "a.dcm")
