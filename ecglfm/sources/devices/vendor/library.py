"""Formats that ecgdatakit reads: HL7 aECG, Philips Sierra, Mortara ELI, SCP-ECG, EDF and EDF+, ISHNE Holter.

The library is asked for one format at a time, on a file that is open already (`/proc/self/fd`), so that it opens none
that a file or a table names. It is kind to files where we are strict: what it says in a warning ends a recording here
if samples are missing or a checksum is wrong, and is a flag of it otherwise. Its rates are whole numbers; the exact
ones are among what else it found.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ecglfm.config import LEADS
from ecglfm.extras import need
from ecglfm.records import MAX_SAMPLES, Record, RecordError, normalize_lead
from ecglfm.sources.devices.vendor.contents import Contents, check_alike, make_head
from ecglfm.sources.units import MILLIVOLTS, unit_key

_PARSERS = {
    "aecg": "hl7_aecg.HL7aECGParser",
    "sierra": "sierra_xml.SierraXMLParser",
    "mortara": "mortara_el250.MortaraEL250Parser",
    "scp": "scp_ecg.SCPECGParser",
    "edf": "edf.EDFParser",
    "ishne": "ishne_holter.ISHNEHolterParser",
}
_NAMES = {"aecg": "HL7 aECG", "sierra": "Philips Sierra", "mortara": "Mortara ELI", "scp": "SCP-ECG", "edf": "EDF",
          "ishne": "ISHNE"}  # fmt: skip
#: Words of warnings, and the reason for which the recording is left out.
_FATAL = (
    ("truncated", "signal_truncated"),
    ("after the last data record", "header_invalid"),  # the number of records that it states is wrong
    ("OFFSET is non-zero", "header_invalid"),  # of counts or of volts: makers' readers disagree
)
_LEAD_FAULT = -32768  # ISHNE's sample for a lead that is off


def read_library(real_path: str, path: str, reader: str, checks: str) -> Contents:
    """Read a file with ecgdatakit.

    Parameters
    ----------
    real_path : str
        What is opened.
    path : str
        For messages.
    reader : str
        A key of `_PARSERS`.
    checks : {'stated', 'strict', 'off'}
        `off`: a wrong checksum is a flag.

    Raises
    ------
    RecordError
    Exception
        Of the library's, where the file is damaged.
    """
    need("ecgdatakit", extra="formats", what=f"a file of {_NAMES[reader]}")
    module, name = _PARSERS[reader].split(".")
    parser = getattr(importlib.import_module(f"ecgdatakit.parsing.parsers.{module}"), name)()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = parser.parse(real_path)
    if found.file_format.version == "EDF+D":
        raise RecordError("format_unsupported", f"{path}: an interrupted EDF+ (EDF+D); its pieces are not joined")
    flags = _flags([warning.message for warning in caught], path, checks)
    record = _record(found, path, reader, flags)
    if any("only the first is read" in detail or "not loaded" in detail for _, detail in flags):
        _check_whole(record, path)
    return Contents(record, _head(found, path, reader))


def _flags(messages: Sequence[Any], path: str, checks: str) -> tuple[tuple[str, str], ...]:
    flags: list[tuple[str, str]] = []
    for message in messages:
        if not isinstance(message, UserWarning):
            continue  # a file of others' that is collected just now, or what a library says of itself: not of this one
        text = " ".join(str(message).split())[:200]
        reason = next((reason for words, reason in _FATAL if words in text), None)
        if type(message).__name__ == "ChecksumWarning" and checks != "off":
            reason = "signal_checksum"
        if reason is not None:
            raise RecordError(reason, f"{path}: {text}")
        if "rounded to" not in text:  # the exact rate is known
            flags.append(("reader_warned", text))
    return tuple(flags)


def _record(found: Any, path: str, reader: str, flags: tuple[tuple[str, str], ...]) -> Record:
    if not found.leads:
        raise RecordError("signal_missing", f"{path}: no rhythm in it")
    names = tuple(normalize_lead(lead.label) for lead in found.leads)
    rates = _rates(found)
    used = [number for number, name in enumerate(names) if name in LEADS] or [int(np.argmax(rates))]
    rate = check_alike("Hz", [rates[number] for number in used], path)
    n_samples = int(check_alike("samples", [len(found.leads[number].samples) for number in used], path))
    check_alike("as their first sample", [float(found.leads[n].annotations.get("start_sample", 1)) for n in used], path)
    if not n_samples:
        raise RecordError("signal_empty", f"{path} holds no samples")
    if n_samples * len(names) > MAX_SAMPLES:
        raise RecordError("signal_too_long", f"{path}: {n_samples} samples of {len(names)} leads")
    signal, foreign = np.full((n_samples, len(names)), np.nan), {}
    for column, lead in enumerate(found.leads):
        unit = lead.resolution_unit if lead.is_raw else lead.units
        if len(lead.samples) != n_samples or rates[column] != rate:
            foreign[column] = f"samples at {rates[column]:g} Hz"  # a breath, a pulse: never one of the twelve
        elif unit_key(unit) not in MILLIVOLTS or (lead.is_raw and lead.resolution == 0):
            foreign[column] = unit or "no unit"
        else:
            samples = np.asarray(lead.samples, np.float64)
            if reader == "ishne":
                samples = np.where(samples == _LEAD_FAULT, np.nan, samples)
            physical = samples * lead.resolution + lead.offset if lead.is_raw else samples
            signal[:, column] = physical * MILLIVOLTS[unit_key(unit)]
    signal[~np.isfinite(signal)] = np.nan
    return Record(signal, names, rate, foreign=foreign, flags=flags)


def _rates(found: Any) -> list[float]:
    """Exact rates of the leads, in Hz."""
    said = found.raw_metadata
    if "sampling_rate_exact" in said.get("rhythm_time", {}):  # aECG: 1 / increment
        return [round(said["rhythm_time"]["sampling_rate_exact"], 6)] * len(found.leads)
    if "rhythm_sample_interval_us" in said:  # SCP-ECG: whole microseconds, so that 300 Hz is 3333
        return [1e6 / said["rhythm_sample_interval_us"]] * len(found.leads)
    exact = said.get("exact_sampling_rates", {})  # EDF
    return [float(exact.get(lead.label, lead.sampling_rate)) for lead in found.leads]


def _check_whole(record: Record, path: str) -> None:
    """Raise RecordError `signal_missing` where a part that the library leaves out may hold one of the twelve leads."""
    if len(record.choice().recorded) + len(record.choice().derived) < len(LEADS):
        raise RecordError("signal_missing", f"{path}: {record.flags[0][1]}; there are leads only in the others")


def _head(found: Any, path: str, reader: str) -> Any:
    patient, measured = found.patient, found.measurements
    name = patient.patient_id
    if reader == "edf" and found.file_format.version == "EDF" and len(name.split()) > 1:
        name = ""  # plain EDF has one field for name, birth date and all
    statements = [str(text) for text, _ in found.interpretation.statements]
    device = found.recording.device
    return make_head(
        path=path,
        patient=name,
        age=patient.age,
        sex=patient.sex,
        report="; ".join(filter(None, statements)),
        native={
            "format": _NAMES[reader],
            "acquired": found.recording.date and f"{found.recording.date:%Y-%m-%d %H:%M:%S}",
            "manufacturer": device.manufacturer,
            "model": device.model,
            "heart_rate": measured.heart_rate,
            "pr_interval": measured.pr_interval,
            "qrs_duration": measured.qrs_duration,
            "qt_interval": measured.qt_interval,
        },
    )
