"""What a request says: recordings as JSON, checked before anything is done with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecglfm.records import UNITS, Record
from ecglfm.records.leads import normalize_lead

#: Of one request: a night's recording is no request, and neither is a database.
MOST_RECORDINGS, MOST_SAMPLES = 256, 50_000_000
NEEDED = ("signal", "leads", "sampling_rate")


class BodyError(ValueError):
    """A body that is no recording; its text is the sentence that the client is told."""


def records_of(rows: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Recordings of the rows of a body.

    Parameters
    ----------
    rows : sequence of mapping
        `signal`: a list of samples for each lead, null where a sample is missing; `leads`: their names, in any order
        and spelling; `sampling_rate`: Hz; `unit`: of `UNITS`, mV where it is not said. Others are not looked at.

    Raises
    ------
    BodyError
    """
    if not 1 <= len(rows) <= MOST_RECORDINGS:
        raise BodyError(f"{len(rows)} recordings; send 1 to {MOST_RECORDINGS} at a time")
    records, samples = [], 0
    for number, row in enumerate(rows):
        try:
            records.append(_record(row))
        except BodyError as error:
            raise BodyError(f"recording {number}: {error}") from None
        samples += records[-1].signal.size
        if samples > MOST_SAMPLES:
            raise BodyError(f"more than {MOST_SAMPLES:,} samples; send fewer recordings at a time")
    return records


def _record(row: Mapping[str, Any]) -> Record:
    lacking = [key for key in NEEDED if _absent(row.get(key))]
    if lacking:
        raise BodyError(f"{' and '.join(f'`{key}`' for key in lacking)} lacking; say {', '.join(NEEDED)}")
    unit = "mV" if _absent(row.get("unit")) else row["unit"]
    if not isinstance(unit, str) or unit not in UNITS:
        raise BodyError(f"`unit` is {_shown(unit)}; say one of {', '.join(UNITS)}")
    rate = row["sampling_rate"]
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not 0 < float(rate) < math.inf:
        raise BodyError(f"`sampling_rate` is {_shown(rate)}; say a number of Hz")
    leads = row["leads"]
    if not isinstance(leads, list | tuple) or not all(isinstance(lead, str) for lead in leads):
        raise BodyError(f"`leads` is {_shown(leads)}; say a list of names, such as I, II, V1")
    signal_ln = _signal(row["signal"])
    if len(signal_ln) != len(leads):
        raise BodyError(f"`signal` has {len(signal_ln)} leads and `leads` {len(leads)} names")
    return Record(signal_ln.T * UNITS[unit], tuple(map(normalize_lead, leads)), float(rate))


def _signal(value: Any) -> np.ndarray:
    """Samples (leads, samples) of nested lists."""
    what = "`signal` is no list of leads with equally many numbers each"
    if not isinstance(value, list | tuple) or not value or not all(isinstance(lead, list | tuple) for lead in value):
        raise BodyError(what)
    try:
        found = np.array(value)
        if found.dtype == object and any(isinstance(sample, str | bool) for lead in value for sample in lead):
            raise BodyError(what)
        signal_ln = found.astype(np.float64)  # None becomes NaN
    except (TypeError, ValueError, OverflowError):
        raise BodyError(what) from None
    if signal_ln.ndim != 2 or found.dtype.kind not in "iufO":
        raise BodyError(what)
    return signal_ln


def _absent(value: Any) -> bool:
    """Whether a key was not said: MLflow fills up a column with NaN where one row has it and another has not."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
