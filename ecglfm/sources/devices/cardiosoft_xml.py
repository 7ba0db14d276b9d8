"""GE CardioSoft XML (`<CardiologyXML>`), a file per recording, as UK Biobank's field 20205 has it.

GE publishes no specification. Element names are those that public readers of UK Biobank agree on. `StripData` (in some
files within `Strip`) is the recording, `WaveformData lead="V1"` its leads: whole numbers of `Resolution` microvolts,
`SampleRate` Hz, set apart by commas, tabs or line breaks. `RestingECGMeasurements` has the machine's intervals, onsets
and offsets in ms from the start of its median beat (QOffset - QOnset is QRSDuration), and that beat: `read_median`.

UK Biobank's file names, `{eid}_20205_{instance}_{array}.xml`, say whose a recording is; without one, `PID` does. It
blanks dates, names and ages: `people` names a table that has age and sex by eid. `_6025_` are exercise ECGs of three
leads, which are refused. Names and dates of birth are not taken over.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

import numpy as np
import pandas as pd
import pyarrow as pa

from ecglfm.config import LEADS
from ecglfm.config.wording import counted
from ecglfm.records import Record, RecordError, normalize_lead
from ecglfm.sources.devices.number_text import whole_numbers
from ecglfm.sources.devices.recording_files import Head, RecordingFiles, age_in_years, stated_sex
from ecglfm.sources.devices.xml_files import read_xml, text_at
from ecglfm.sources.inside import Root
from ecglfm.sources.patients import People
from ecglfm.sources.tables import Sorter, batched, natural_key

logger = logging.getLogger(__name__)

_NAME = re.compile(r"(?P<eid>[0-9A-Za-z]+)_(?P<field>\d+)_(?P<instance>\d+)_(?P<array>\d+)", re.ASCII)
RESTING, EXERCISE = "20205", "6025"  # UK Biobank's fields
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_DATE = ("Year", "Month", "Day", "Hour", "Minute", "Second")

#: Elements that become `native.{element}`, by the group that holds them.
NATIVE = {
    ".": ("ObservationType",),
    "ClinicalInfo/DeviceInfo": ("Desc", "SoftwareVer", "AnalysisVer"),
    "PatientInfo": ("Height", "Weight", "PaceMaker"),
    "FilterSetting": ("CubicSpline", "Filter50Hz", "Filter60Hz", "LowPass", "HighPass"),
    "RestingECGMeasurements": (
        "VentricularRate", "PQInterval", "PDuration", "QRSDuration", "QTInterval", "QTCInterval", "RRInterval",
        "PPInterval", "SokolovLVHIndex", "PAxis", "RAxis", "TAxis", "QTDispersion", "QTDispersionBazett", "QRSNum",
        "POnset", "POffset", "QOnset", "QOffset", "TOffset"),
}  # fmt: skip
#: Rows of `MeasurementTable` that become `native.{row}.{lead}`.
TABLE = ("PAmplitude", "QAmplitude", "RAmplitude", "SAmplitude", "JAmplitude", "TAmplitude")
#: Elements of thousands of numbers, which the index need not read; the second kind nobody reads.
_WAVES, _UNREAD = {"WaveformData"}, {"FullDisclosureData", "Frontal", "Horizontal", "Sagittal", "ArrhythmiaResults"}


class CardioSoftXml(RecordingFiles):
    """A tree of CardioSoft XML files."""

    endings = (".xml",)
    native = (
        "eid", "instance", "array", "ObservationDateTime", *(name for names in NATIVE.values() for name in names),
        *(f"{row}.{lead}" for row in TABLE for lead in LEADS),
    )  # fmt: skip

    @cached_property
    def _people(self) -> People | None:
        return People(Path(self.config.people), self.config.columns) if self.config.people else None

    def whose(self, path: str) -> str:
        """The eid of UK Biobank's file names."""
        return name_of(path).get("eid", "")

    def head(self, path: str) -> Head:
        """See `RecordingFiles`; raises as `read_cardiosoft_head`."""
        return read_cardiosoft_head(self._inside, path)

    def files(self) -> Iterator[str]:
        """Paths of the recordings; with `visits: first` one of each person whom file names tell."""
        return super().files() if self.config.visits == "all" else first_visits(self.name, super().files())

    def said(self, index: pd.DataFrame, faults: list[str]) -> pd.DataFrame:
        """See `RecordingFiles`; age and sex from `people`, where that has them."""
        said = super().said(index, faults)
        if self._people is None:
            return said
        known = self._people.of(said["patient_id"].str.partition("/")[2], said["native.instance"])
        return said.assign(age=known["age"].fillna(said["age"]), sex=known["sex"].fillna(said["sex"]))

    def pieces(self) -> Iterator[pd.DataFrame]:
        """See `RecordingFiles`; recordings of people whom `people` does not have are counted in a warning."""
        yield from super().pieces()
        if self._people is not None:
            self._people.warn(self.name)

    def read(self, path: str) -> Record:
        """Read the recording at `path`; raises as `read_cardiosoft`."""
        return read_cardiosoft(self._inside, path)


def name_of(path: str) -> dict[str, str]:
    """`eid`, `field`, `instance` and `array` of a file name of UK Biobank's; empty for another."""
    match = _NAME.fullmatch(PurePosixPath(path).stem)
    return match.groupdict() if match else {}


def first_visits(source: str, paths: Iterator[str]) -> Iterator[str]:
    """Of each person's resting ECGs the first by instance, then array; files of other names all. The rest is counted.

    Parameters
    ----------
    source : str
        For the message.
    paths : iterator of str
    """
    rows, later = Sorter("person", "visit"), 0
    for some in batched(paths):
        names = [name_of(path) for path in some]
        people = [name["eid"] if name.get("field") == RESTING else "" for name in names]
        visits = [natural_key(f"{name['instance']}/{name['array']}" if name else "") for name in names]
        rows.add(pa.table({"person": people, "visit": pa.array(visits, pa.large_binary()), "path": some}))
    last = ""
    for table in rows.tables():
        for person, path in zip(table["person"].to_pylist(), table["path"].to_pylist(), strict=True):
            if person and person == last:
                later += 1
                continue
            last = person
            yield path
    if later:
        logger.warning(
            "source %s: %s left out (`visits: first`)",
            source,
            counted(later, "later recording of the same people is", "later recordings of the same people are"),
        )


def _cardiology(root: Root, path: str, skip: set[str]) -> Element:
    """The root element of a resting ECG, without a full disclosure behind its strip, which is longer than all else."""
    found = read_xml(root, path, "FullDisclosure", skip)
    if not _strips(found):
        found = read_xml(root, path, skip=skip)
    if found.tag != "CardiologyXML":
        raise RecordError("xml_unknown", f"{path}: <{found.tag[:40]}> is no CardioSoft ECG (<CardiologyXML>)")
    kind = text_at(found, "ObservationType").casefold()
    if name_of(path).get("field") == EXERCISE or "exercise" in kind or "stress" in kind:
        raise RecordError(
            "exercise_ecg", f"{path} is an exercise ECG (UK Biobank's field {EXERCISE}), of three leads; resting ECGs"
            f" (field {RESTING}) are read",
        )  # fmt: skip
    return found


# ---- what a file says beside its waveforms -----------------------------------------------------------------------


def read_cardiosoft_head(root: Root, path: str) -> Head:
    """What a file says of the person, and what the machine measured.

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing`, `xml_invalid`, `xml_unknown`, `exercise_ecg`.
    """
    found = _cardiology(root, path, _WAVES | _UNREAD)
    name = name_of(path)
    native = {key: name.get(key) for key in ("eid", "instance", "array")}
    native["ObservationDateTime"] = _when(found)
    native |= {name: text_at(found, f"{group}/{name}") or None for group, names in NATIVE.items() for name in names}
    age = found.find("PatientInfo/Age")
    return Head(
        patient=name.get("eid") or text_at(found, "PatientInfo/PID"),
        age=math.nan if age is None else age_in_years((age.text or "").strip(), age.get("units", ""), path),
        sex=stated_sex(text_at(found, "PatientInfo/Gender"), path),
        report=_report(found),
        native=native | _measurement_table(found),
    )


def _when(found: Element) -> str | None:
    """`2019-10-19 12:39:11`; None where the date is blanked."""
    parts = [text_at(found, f"ObservationDateTime/{part}") for part in _DATE]
    if not all(re.fullmatch(r"\d{1,4}", part, re.ASCII) for part in parts[:3]):
        return None
    year, month, day, *time = (int(part) if part.isdecimal() else 0 for part in parts)
    return f"{year:04d}-{month:02d}-{day:02d} {time[0]:02d}:{time[1]:02d}:{time[2]:02d}"


def _measurement_table(found: Element) -> dict[str, str | None]:
    """Amplitudes by lead."""
    table = found.find("RestingECGMeasurements/MeasurementTable")
    if table is None:
        return {}
    leads = [normalize_lead(name.strip()) for name in text_at(table, "LeadOrder").split(",")]
    cells: dict[str, str | None] = {}
    for row in TABLE:
        values = (table.findtext(row) or "").split(",")
        if len(values) == len(leads):
            cells |= {f"{row}.{lead}": value.strip() or None for lead, value in zip(leads, values, strict=True)}
    return {key: value for key, value in cells.items() if key.partition(".")[2] in LEADS}


def _report(found: Element) -> str:
    """Lines of the conclusion, else of the machine's diagnosis, joined with `; `."""
    for group in ("Conclusion/ConclusionText", "Diagnosis/DiagnosisText"):
        lines = [" ".join((line.text or "").split()) for line in found.iterfind(f"Interpretation/{group}")]
        if any(lines):
            return "; ".join(line for line in lines if line.strip("-"))
    return ""


# ---- the strip and the median beat -------------------------------------------------------------------------------


def read_cardiosoft(root: Root, path: str) -> Record:
    """Read the rhythm strip of a CardioSoft XML file.

    Parameters
    ----------
    root : Root
    path : str
        Relative to the root.

    Returns
    -------
    Record
        In mV, the leads of the file.

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing`, `xml_invalid`, `xml_unknown`, `exercise_ecg`, `header_invalid`,
        `unit_unknown`, `signal_unreadable`, `signal_truncated`, `signal_empty`.
    """
    found = _cardiology(root, path, _UNREAD)
    return _waveforms(_one(_strips(found), "StripData", path), path)


def read_median(root: Root, path: str) -> Record:
    """Read the median beat that the machine measured; parameters and errors as `read_cardiosoft`."""
    found = _cardiology(root, path, _UNREAD)
    return _waveforms(_one(found.findall("RestingECGMeasurements/MedianSamples"), "MedianSamples", path), path)


def _strips(found: Element) -> list[Element]:
    return [strip for place in ("StripData", "Strip/StripData") for strip in found.iterfind(place)]


def _one(found: list[Element], name: str, path: str) -> Element:
    if len(found) != 1:
        reason = "header_invalid" if found else "signal_missing"
        raise RecordError(reason, f"{path}: {len(found)} elements {name}, one is expected")
    return found[0]


def _waveforms(strip: Element, path: str) -> Record:
    parts = strip.findall("WaveformData")
    rate, step = _number(strip, "SampleRate", path, "Hz"), _number(strip, "Resolution", path, "uVperLsb")
    stated = _number(strip, "NumberOfLeads", path) if strip.find("NumberOfLeads") is not None else len(parts)
    if not parts or stated != len(parts):
        raise RecordError("header_invalid", f"{path}: {len(parts)} of {stated:g} leads")
    leads = tuple(normalize_lead(part.get("lead", "").strip()) for part in parts)
    columns = []
    for lead, part in zip(leads, parts, strict=True):
        try:
            columns.append(whole_numbers(part.text or ""))
        except ValueError as error:
            raise RecordError("signal_unreadable", f"{path}: lead {lead}: {error}") from None
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise RecordError("header_invalid", f"{path}: leads of {' '.join(str(len(c)) for c in columns)} samples")
    if lengths == {0}:
        raise RecordError("signal_empty", f"{path} holds no samples")
    if strip.find("ChannelSampleCountTotal") is not None:
        stated = _number(strip, "ChannelSampleCountTotal", path)
        if lengths != {stated}:
            raise RecordError("signal_truncated", f"{path}: {len(columns[0])} samples of {stated:g} that are stated")
    return Record(np.stack(columns, axis=1) * (step / 1000), leads, rate)


def _number(strip: Element, name: str, path: str, unit: str = "") -> float:
    """A number above 0; its `units`, where the file gives them, must be the only ones that are understood."""
    element = strip.find(name)
    text = "" if element is None else (element.text or "").strip()
    units = "" if element is None else element.get("units", "").strip()
    if not _NUMBER.fullmatch(text) or not float(text):
        raise RecordError("header_invalid", f"{path}: {name} {text[:40]!r} is not a number above 0")
    if units.casefold() not in {"", unit.casefold()}:
        raise RecordError("unit_unknown", f"{path}: {name} is in {units[:20]!r}, only {unit} is understood")
    return float(text)
