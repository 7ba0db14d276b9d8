"""GE MUSE resting-ECG XML (`<RestingECG>`), a file per recording, as hospitals export it.

GE publishes no specification. Element names and meanings are those that the public readers agree on, first of all
GE's own musexmlex.py (https://sourceforge.net/projects/musexmlexport/): of the waveforms the one of type `Rhythm`
(`Median` is an average beat), little-endian int16 in base64, `LeadAmplitudeUnitsPerBit` MICROVOLTS a step,
`SampleBase` x 10^`SampleExponent` Hz. Eight leads are recorded, I II V1-V6; the other four follow from I and II
(`Record.standard`). `LeadDataCRC32` is zlib's CRC-32 of the bytes; 0, which some tools write, is not checked. Some
exports leave out base64's padding, or write samples as text, whose checksum is then of something else. A lead with
`LeadOff` TRUE is flagged (`lead_off_stated`).

Names and dates of birth are not taken over; `PatientID` is, as the patient, because recordings of one
person must not fall apart.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from xml.etree.ElementTree import Element

import numpy as np

from ecglfm.records import Record, RecordError, normalize_lead
from ecglfm.sources.devices.recording_files import Head, RecordingFiles, age_in_years, stated_sex
from ecglfm.sources.devices.xml_files import read_xml, text_at
from ecglfm.sources.inside import Root
from ecglfm.sources.units import MILLIVOLTS, unit_key

_SAMPLES = re.compile(r"\s*[-+]?\d{1,6}(?:[\s,;]+[-+]?\d{1,6})+[\s,;]*", re.ASCII)
_NUMBER = re.compile(r"[-+]?\d{1,10}(\.\d{1,9})?", re.ASCII)

#: Elements that become `native.{element}`, by the group that holds them.
NATIVE = {
    "PatientDemographics": ("PatientAge", "AgeUnits", "Gender", "Race", "HeightCM", "WeightKG"),
    "TestDemographics": ("AcquisitionDate", "AcquisitionTime", "AcquisitionDevice", "Site", "Location", "Status"),
    "RestingECGMeasurements": ("VentricularRate", "AtrialRate", "PRInterval", "QRSDuration", "QTInterval",
                               "QTCorrected", "PAxis", "RAxis", "TAxis"),
}  # fmt: skip


class MuseXml(RecordingFiles):
    """A tree of MUSE XML files."""

    endings = (".xml",)
    native = tuple(name for names in NATIVE.values() for name in names)

    def head(self, path: str) -> Head:
        """See `RecordingFiles`; raises as `read_muse_head`."""
        return read_muse_head(self._inside, path)

    def read(self, path: str) -> Record:
        """Read the recording at `path`; raises as `read_muse`."""
        return read_muse(self._inside, path)


def _restingecg(root: Root, path: str, stop: str | None = None) -> Element:
    found = read_xml(root, path, stop)
    if found.tag != "RestingECG":
        raise RecordError("xml_unknown", f"{path}: <{found.tag[:40]}> is no MUSE resting ECG (<RestingECG>)")
    return found


# ---- what a file says before its waveforms -----------------------------------------------------------------------


def read_muse_head(root: Root, path: str) -> Head:
    """Read a file as far as its first waveform.

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing`, `xml_invalid`, `xml_unknown`.
    """
    found = _restingecg(root, path, stop="Waveform")
    native = {name: text_at(found, f"{group}/{name}") or None for group, names in NATIVE.items() for name in names}
    return Head(
        patient=text_at(found, "PatientDemographics/PatientID"),
        age=age_in_years(native["PatientAge"] or "", native["AgeUnits"] or "", path),
        sex=stated_sex(native["Gender"] or "", path),
        report=_report(found),
        native=native,
    )


def _report(found: Element) -> str:
    """Lines of the diagnosis, joined with `; `: the confirmed one, else the machine's own."""
    for group in ("Diagnosis", "OriginalDiagnosis"):
        lines = [""]
        for statement in found.iterfind(f"{group}/DiagnosisStatement"):
            lines[-1] = f"{lines[-1]} {text_at(statement, 'StmtText')}".strip()
            if any((flag.text or "").strip() == "ENDSLINE" for flag in statement.iterfind("StmtFlag")):
                lines.append("")
        if any(lines):
            return "; ".join(line for line in lines if line)
    return ""


# ---- the rhythm --------------------------------------------------------------------------------------------------


def read_muse(root: Root, path: str) -> Record:
    """Read the rhythm waveform of a MUSE XML file.

    Parameters
    ----------
    root : Root
    path : str
        Relative to the root.

    Returns
    -------
    Record
        In mV, the leads of the file (mostly I II V1-V6).

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing`, `xml_invalid`, `xml_unknown`, `header_invalid`, `unit_unknown`,
        `signal_unreadable`, `signal_truncated`, `signal_checksum`, `signal_empty`.
    """
    found = _restingecg(root, path).findall("Waveform")
    waveforms = [w for w in found if text_at(w, "WaveformType").casefold() == "rhythm"]
    if len(waveforms) != 1:
        reason = "header_invalid" if waveforms else "signal_missing"
        raise RecordError(reason, f"{path}: {len(waveforms)} waveforms of type Rhythm, one is expected")
    (rhythm,) = waveforms
    rate = _number(rhythm, "SampleBase", path) * 10 ** _number(rhythm, "SampleExponent", path, 0)
    parts = rhythm.findall("LeadData")
    stated = _number(rhythm, "NumberofLeads", path, len(parts))
    if not rate > 0 or not parts or stated != len(parts):
        raise RecordError("header_invalid", f"{path}: {len(parts)} of {stated:g} leads at {rate:g} Hz")
    leads = tuple(normalize_lead(text_at(part, "LeadID")) for part in parts)
    columns = [_lead(part, f"{path}: lead {lead}") for part, lead in zip(parts, leads, strict=True)]
    if len({len(column) for column in columns}) != 1:
        raise RecordError("header_invalid", f"{path}: leads of {' '.join(str(len(c)) for c in columns)} samples")
    if len(columns[0]) == 0:
        raise RecordError("signal_empty", f"{path} holds no samples")
    off = [lead for part, lead in zip(parts, leads, strict=True) if text_at(part, "LeadOff").casefold() == "true"]
    flags = (("lead_off_stated", f"{' '.join(off)}: the file says LeadOff"),) if off else ()
    return Record(np.stack(columns, axis=1), leads, rate, flags=flags)


def _number(element: Element, name: str, where: str, default: float | None = None) -> float:
    text = text_at(element, name)
    if not text and default is not None:
        return default
    if not _NUMBER.fullmatch(text) or (name == "SampleExponent" and abs(float(text)) > 6):
        raise RecordError("header_invalid", f"{where}: {name} {text[:40]!r} is not a number as expected")
    return float(text)


def _lead(part: Element, where: str) -> np.ndarray:
    """Samples of one lead in mV, float64 (n_samples,), verified."""
    for name, expected in (("LeadSampleSize", 2), ("LeadOffsetFirstSample", 0), ("FirstSampleBaseline", 0),
                           ("LeadTimeOffset", 0)):  # fmt: skip
        if _number(part, name, where, expected) != expected:
            raise RecordError(
                "header_invalid", f"{where}: {name} is {text_at(part, name)}, only {expected} is understood"
            )
    unit, step = text_at(part, "LeadAmplitudeUnits"), _number(part, "LeadAmplitudeUnitsPerBit", where)
    if unit_key(unit) not in MILLIVOLTS or step <= 0:
        raise RecordError("unit_unknown", f"{where}: {step:g} {unit[:20]!r} a bit")
    text = part.findtext("WaveFormData") or ""
    as_text = _SAMPLES.fullmatch(text) is not None
    content = _content(text, where, as_text=as_text)
    n_bytes = _number(part, "LeadByteCountTotal", where, len(content))
    n_samples = _number(part, "LeadSampleCountTotal", where, n_bytes / 2)
    if len(content) != n_bytes or n_bytes != 2 * n_samples or n_bytes % 2:
        raise RecordError(
            "signal_truncated", f"{where}: {len(content)} bytes; stated are {n_bytes:g} and {n_samples:g} samples"
        )
    checksum = int(_number(part, "LeadDataCRC32", where, 0)) & 0xFFFFFFFF
    if checksum and not as_text and checksum != zlib.crc32(content):  # it is of bytes that such a file no longer has
        raise RecordError("signal_checksum", f"{where}: CRC {zlib.crc32(content)}, the file says {checksum}")
    return np.frombuffer(content, "<i2") * (step * MILLIVOLTS[unit_key(unit)])


def _content(text: str, where: str, *, as_text: bool) -> bytes:
    """Bytes of a lead's samples, little-endian int16: base64 with or without its padding, or whole numbers as text."""
    try:
        if as_text:
            return np.array(re.split(r"[\s,;]+", text.strip(" \t\r\n,;")), dtype="<i2").tobytes()
        packed = "".join(text.split())
        return base64.b64decode(packed + "=" * (-len(packed) % 4 if len(packed) % 4 > 1 else 0), validate=True)
    except (binascii.Error, ValueError, OverflowError) as error:
        raise RecordError("signal_unreadable", f"{where}: {error}") from None
