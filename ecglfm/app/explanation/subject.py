"""A recording with what its file says of it, and the intervals: the machine's, or measured here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ecglfm.app.prediction import FromFiles
from ecglfm.config import LEADS, UserError
from ecglfm.config.wording import counted
from ecglfm.evaluation.beats import Intervals, measure_intervals
from ecglfm.records import Record, RecordError
from ecglfm.sources.files import read_head

_MAX_RATE = 2000.0  # Hz, that are enough for any ECG
_COMMENT = re.compile(r"<?(age|sex)>?\s*:\s*(\S+)", re.IGNORECASE)
_SEXES = {"m": "male", "male": "male", "f": "female", "female": "female"}
#: What the machine's intervals are called: in MUSE and CardioSoft files, and as `ecglfm[formats]` gives them.
_STATED = {"rate": ("VentricularRate", "heart_rate"), "pr": ("PRInterval", "PQInterval", "pr_interval"),
           "qrs": ("QRSDuration", "qrs_duration"), "qt": ("QTInterval", "qt_interval"),
           "qtc": ("QTCorrected", "QTCInterval"), "axis": ("RAxis",)}  # fmt: skip
_WHEN = ("AcquisitionDate", "AcquisitionTime", "ObservationDateTime", "acquired")


class Subject(NamedTuple):
    """A recording that a person looks at.

    Attributes
    ----------
    name : str
    record : Record
        As the file has it.
    shown : Record
        The twelve standard leads, those missing that can be computed from others among them; the file's own leads
        where none is a standard one.
    derived : tuple of str
        Leads of `shown` that were computed.
    patient : str
        `patient 123, female, 63 years`, as far as the file says; else that it does not.
    recorded : str
        Day and time, or empty.
    intervals : Intervals
    by : str
        Who measured them: `the machine` or `ecglfm`.
    """

    name: str
    record: Record
    shown: Record
    derived: tuple[str, ...]
    patient: str
    recorded: str
    intervals: Intervals
    by: str

    def lines(self) -> list[str]:
        """What stands above the paper: whose recording it is, and its intervals with who measured them."""
        derived = f"    {' '.join(self.derived)} computed from other limb leads" if self.derived else ""
        when = f"    {self.recorded}" if self.recorded else ""
        whose = f"    ({self._whose})" if self.intervals != Intervals() else ""
        return [f"{self.patient}{when}{derived}", f"{self.intervals.text()}{whose}"]

    @property
    def _whose(self) -> str:
        return "by the machine" if self.by == "the machine" else "measured by ecglfm; QTc of Bazett"


def look_at(named: str | Path, reader: FromFiles, *, longest: float = math.inf) -> Subject:
    """Read one recording, and measure its intervals where its file states none.

    Parameters
    ----------
    named : path
    reader : FromFiles
    longest : float
        Seconds: what lasts longer is not measured. Nor is what has more samples than that would have at 2000 Hz.

    Raises
    ------
    UserError
        There is none, there are several, it cannot be read, or is longer than `longest`.
    """
    found = reader.find([named])
    if len(found) > 1:
        raise UserError(f"{named}: {len(found)} recordings; name one of them, such as {found[0].name}")
    (recording,) = found
    try:
        record = reader.read(recording.path)
        patient = reader.patient(recording.path)
        native, comments = _said(recording.path, record, reader)
    except RecordError as error:
        raise UserError(f"{named}: {error}") from None
    _check_length(recording.name, record, longest)
    shown, derived = _standard(record)
    stated = _stated(native)
    measured = measure_intervals(shown.signal, shown.sampling_rate, list(shown.leads)) if stated is None else stated
    facts = [f"patient {patient}" if patient else "", *comments]
    return Subject(
        name=Path(recording.name).name,
        record=record,
        shown=shown,
        derived=derived,
        patient=", ".join(fact for fact in facts if fact) or "patient not stated",
        recorded=" ".join(native[key] for key in _WHEN if native.get(key)),
        intervals=measured,
        by="ecglfm" if stated is None else "the machine",
    )


def _check_length(name: str, record: Record, longest: float) -> None:
    seconds = len(record.signal) / record.sampling_rate
    if seconds > longest:
        raise UserError(f"{name}: lasts {seconds:.0f} s; at most {longest:.0f} s are shown")
    if len(record.signal) > longest * _MAX_RATE:
        raise UserError(f"{name}: {len(record.signal)} samples a lead; at most {longest * _MAX_RATE:.0f} are shown")


def _standard(record: Record) -> tuple[Record, tuple[str, ...]]:
    try:
        standard = record.standard()
    except RecordError:
        return record, ()
    if len(record.leads) == 1:
        return record, ()
    return Record(standard.signal, LEADS, standard.sampling_rate), standard.derived


def _said(path: str, record: Record, reader: FromFiles) -> tuple[dict[str, str], list[str]]:
    """The machine's own words of a device's file, and sex and age of any."""
    head = read_head(path, links=reader.links)
    if head is None:
        found = {key.lower(): value for key, value in _COMMENT.findall("\n".join(record.comments))}
        return {}, _sex_and_age(found.get("sex", ""), found.get("age", ""))
    age = str(head.age) if head.age == head.age else ""
    return {key: value for key, value in head.native.items() if value}, _sex_and_age(head.sex or "", age)


def _sex_and_age(sex: str, age: str) -> list[str]:
    known = re.fullmatch(r"\d{1,3}(\.\d+)?", age)
    return [_SEXES.get(sex.lower(), ""), _years(float(age)) if known else ""]


def _years(age: float) -> str:
    """An age below two years in months, where it is known so well."""
    if age >= 2 or age.is_integer():
        return counted(round(age), "year")
    months = round(12 * age)
    return counted(months, "month") if months else "under a month"


def _stated(native: Mapping[str, str]) -> Intervals | None:
    """The machine's intervals; None where it states neither QRS nor QT."""
    said = {name: next((native[key] for key in keys if native.get(key)), "") for name, keys in _STATED.items()}
    values = {name: _whole(text) for name, text in said.items()}
    return Intervals(**values) if values["qrs"] is not None or values["qt"] is not None else None


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?\d{1,4}", text.strip()) else None
