"""Formats of devices, each from a file whose samples are known; other libraries agree on the same files (docs)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyedflib
import pytest
from numpy.testing import assert_allclose

import ecglfm
from ecglfm.records import RecordError
from ecglfm.sources.devices.readers import known_format, read_device_head
from ecglfm.sources.devices.recording_files import Head
from ecglfm.sources.devices.vendor import library
from ecglfm.sources.inside import Root
from tests.unit.sources import vendor_file
from tests.unit.sources.vendor_file import TWELVE, wave

STEPS = wave()

WRITERS: dict[str, Callable[[np.ndarray], bytes]] = {
    "HL7 aECG": vendor_file.aecg,
    "Philips Sierra": vendor_file.sierra,
    "Mortara ELI": vendor_file.mortara,
    "SCP-ECG": vendor_file.scp,
    "ISHNE": vendor_file.ishne,
    "DICOM": lambda steps: vendor_file.dicom([vendor_file.group(steps)]),
}


def written(folder: Path, content: bytes, name: str = "a") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def head_of(path: Path) -> Head:
    root = Root(path.parent)
    return read_device_head(root, path.name, known_format(root, path.name))


@pytest.mark.parametrize("format_", WRITERS)
def test_each_format_gives_the_samples_that_were_written(tmp_path: Path, format_: str) -> None:
    record = ecglfm.read_record(written(tmp_path, WRITERS[format_](STEPS)))  # a name without ending
    assert (record.leads, record.sampling_rate, record.foreign, record.flags) == (TWELVE, 500, {}, ())
    assert_allclose(record.signal, STEPS * 0.005, atol=1e-12)


@pytest.mark.parametrize("format_", WRITERS)
def test_what_a_file_says_of_its_patient_without_the_name(tmp_path: Path, format_: str) -> None:
    head = head_of(written(tmp_path, WRITERS[format_](STEPS)))
    expected = ("SBJ-123", 50, "female") if format_ == "HL7 aECG" else ("P7", 61, "male")
    assert (head.patient, head.age, head.sex) == (*expected[:1], pytest.approx(expected[1], abs=1), expected[2])
    assert head.native["format"] == format_
    assert head.native["acquired"] == ("2002-11-22 09:10:00" if format_ == "HL7 aECG" else "2011-02-03 04:05:06")
    assert "Secret" not in str(head)


@pytest.mark.parametrize("how", [{"huffman": False, "differences": 0}, {"differences": 1}, {"differences": 2}])
def test_scp_packed_in_its_ways(tmp_path: Path, how: dict[str, int]) -> None:
    steps = np.random.default_rng(0).integers(-400, 400, (50, 12))  # differences of one, eight and sixteen bits
    record = ecglfm.read_record(written(tmp_path, vendor_file.scp(steps, **how)))
    assert_allclose(record.signal, steps * 0.005, atol=1e-12)


def test_sierra_without_packing(tmp_path: Path) -> None:
    record = ecglfm.read_record(written(tmp_path, vendor_file.sierra(STEPS, packed=False)))
    assert_allclose(record.signal, STEPS * 0.005, atol=1e-12)


def test_rates_are_those_of_the_file_where_the_library_rounds_them(tmp_path: Path) -> None:
    aecg = ecglfm.read_record(written(tmp_path, vendor_file.aecg(STEPS, increment="0.0078")))
    assert aecg.sampling_rate == pytest.approx(1 / 0.0078)  # 128.2 Hz
    assert ecglfm.read_record(written(tmp_path, vendor_file.scp(STEPS, interval_us=3333))).sampling_rate == 1e6 / 3333


def _edf(path: Path, rates: dict[str, int], kind: int = pyedflib.FILETYPE_EDFPLUS, **patient: str) -> None:
    with pyedflib.EdfWriter(str(path), len(rates), file_type=kind) as file:
        file.setSignalHeaders(
            [
                {"label": name, "dimension": "%" if name == "SpO2" else "uV", "sample_frequency": rate,
                 "physical_min": -3276.8, "physical_max": 3276.7, "digital_min": -32768, "digital_max": 32767,
                 "transducer": "", "prefilter": ""}
                for name, rate in rates.items()
            ]
        )  # fmt: skip
        file.setPatientCode(patient.get("code", ""))
        file.setPatientName(patient.get("name", "").replace(" ", "_"))
        file.writeSamples([np.arange(2.0 * rate) for rate in rates.values()])


def test_edf_as_another_library_writes_it(tmp_path: Path) -> None:
    _edf(tmp_path / "a.edf", {"ECG I": 250, "EKG II": 250, "SpO2": 250, "Resp": 25}, code="P7", name="Secret")
    record = ecglfm.read_record(tmp_path / "a.edf")
    assert (record.leads, record.sampling_rate) == (("I", "II", "SpO2", "Resp"), 250)
    assert_allclose(record.signal[:, 0], np.arange(500) * 1e-3, atol=5e-5)
    assert record.foreign == {2: "%", 3: "samples at 25 Hz"}
    assert np.isnan(record.signal[:, 2:]).all()
    assert head_of(tmp_path / "a.edf").patient == "P7"


def test_edf_whose_leads_differ_in_rate_is_no_recording(tmp_path: Path) -> None:
    _edf(tmp_path / "a.edf", {"I": 250, "II": 500})
    with pytest.raises(RecordError, match="header_invalid: a.edf: leads of 250 500 Hz"):
        ecglfm.read_record(tmp_path / "a.edf")


def test_plain_edf_has_the_name_in_the_field_of_the_patient(tmp_path: Path) -> None:
    _edf(tmp_path / "a.edf", {"I": 250}, pyedflib.FILETYPE_EDF, code="P7", name="Secret Person")
    assert head_of(tmp_path / "a.edf").patient == ""


def test_a_lead_that_was_off_is_missing_in_ishne(tmp_path: Path) -> None:
    steps = STEPS.copy()
    steps[3, 4] = -32768
    record = ecglfm.read_record(written(tmp_path, vendor_file.ishne(steps)))
    assert np.argwhere(np.isnan(record.signal)).tolist() == [[3, 4]]


def test_a_wrong_checksum(tmp_path: Path) -> None:
    content = bytearray(vendor_file.scp(STEPS, huffman=False, differences=0))
    content[-1] ^= 1
    with pytest.raises(RecordError, match="signal_checksum: a: SCP-ECG CRC mismatch in: record, Section 6"):
        ecglfm.read_record(written(tmp_path, bytes(content)))
    assert ecglfm.read_record(tmp_path / "a", checks="off").flags[0][0] == "reader_warned"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: vendor_file.scp(STEPS)[:-9], "signal_unreadable: a: an SCP-ECG file: SCP-ECG record declares"),
        (lambda: vendor_file.ishne(STEPS)[:-2], "signal_truncated: a: ISHNE: incomplete final frame"),
        (lambda: vendor_file.mortara(STEPS, offset=8), "header_invalid: a: Mortara CHANNEL OFFSET is non-zero"),
        (lambda: vendor_file.aecg(STEPS).replace(b"RHYTHM", b"REPRESENTATIVE_BEAT"), "signal_unreadable: .*No rhythm"),
        (lambda: vendor_file.aecg(STEPS).replace(b'unit="s"', b'unit="h"'), "signal_unreadable: .*increment unit 'h'"),
        (lambda: vendor_file.aecg(STEPS).replace(b"<Ann", b'<!DOCTYPE x [<!ENTITY a "b">]><Ann'), "xml_invalid: .*'a'"),
    ],
)
def test_what_is_left_out(tmp_path: Path, content: Callable[[], bytes], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        ecglfm.read_record(written(tmp_path, content()))


def test_an_aecg_whose_leads_follow_each_other_is_not_half_a_recording(tmp_path: Path) -> None:
    rest = vendor_file.aecg(STEPS[:, 6:], TWELVE[6:]).split(b"<component><sequenceSet>")[1].split(b"</series>")[0]
    content = vendor_file.aecg(STEPS[:, :6], TWELVE[:6], extra="<component><sequenceSet>" + rest.decode())
    with pytest.raises(RecordError, match="signal_missing: a: 2 sequence sets in the rhythm series; only the first"):
        ecglfm.read_record(written(tmp_path, content))
    whole = vendor_file.aecg(STEPS, extra="<component><sequenceSet>" + rest.decode())
    assert ecglfm.read_record(written(tmp_path, whole)).flags[0][1].startswith("2 sequence sets")


def test_only_what_is_said_of_the_file_is_its_flag():
    """A file of somebody else's that the collector closes meanwhile warns, too."""
    said = [ResourceWarning("unclosed file"), UserWarning("odd field")]
    assert library._flags(said, "a.xml", "stated") == (("reader_warned", "odd field"),)
