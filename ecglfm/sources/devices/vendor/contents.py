"""What is taken from a file of a device: the recording, and what it says of it."""

from __future__ import annotations

import logging
import math
from typing import NamedTuple

from ecglfm.records import Record, RecordError
from ecglfm.sources.devices.recording_files import Head, stated_sex
from ecglfm.sources.patients import UNSTATED
from ecglfm.sources.tables import parse_age

logger = logging.getLogger(__name__)

#: Columns `native.{name}` of the index: the format, when and with what it was recorded, and the machine's measurements.
NATIVE = ("format", "acquired", "manufacturer", "model", "heart_rate", "pr_interval", "qrs_duration", "qt_interval")
#: What stands in the place of an id that is withheld.
_NO_ID = UNSTATED | {"x"}


class Contents(NamedTuple):
    """A recording and what its file says of it."""

    record: Record
    head: Head


def make_head(
    *,
    path: str,
    patient: str = "",
    age: float | None = None,
    sex: str = "",
    report: str = "",
    native: dict[str, object] | None = None,
) -> Head:
    """What a file says, as the index takes it; an age or sex that is none is logged and left empty.

    Parameters
    ----------
    path : str
        For messages.
    patient : str
        Its id; words that say that it is withheld are none.
    age : float, optional
        Years.
    sex : str
        As the file has it: `M`, `F`; `U` and `O` are neither.
    report : str
        The interpretation, lines joined with `; `.
    native : dict
        Some of `NATIVE`.
    """
    found = {name: None if (native or {}).get(name) in (None, "") else str((native or {})[name]) for name in NATIVE}
    return Head(
        patient="" if patient.strip().lower() in _NO_ID else patient.strip(),
        age=_years(age, path),
        sex=None if sex.strip().upper() in {"U", "O"} else stated_sex(sex, path),
        report=report,
        native=found,
    )


def _years(age: float | None, path: str) -> float:
    if age is None or not math.isfinite(age):
        return math.nan
    try:
        return parse_age(f"{age:.2f}")
    except ValueError:
        logger.warning("%s: age %g is not understood; the age is left empty", path, age)
        return math.nan


def check_alike(what: str, values: list[float], path: str) -> float:
    """The one value that leads have in common; raises RecordError `header_invalid` where they differ."""
    if len(set(values)) != 1:
        raise RecordError("header_invalid", f"{path}: leads of {' '.join(f'{v:g}' for v in values)[:100]} {what}")
    return values[0]
