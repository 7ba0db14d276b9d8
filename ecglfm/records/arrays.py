"""A recording of an array that a person holds in memory, checked before a model answers about it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ecglfm.config import UserError
from ecglfm.records.leads import normalize_lead
from ecglfm.records.record import Record

#: Millivolts in one of each unit that may be named.
UNITS = {"V": 1000.0, "mV": 1.0, "uV": 0.001, "nV": 1e-6}


def as_record(signal: Any, leads: Iterable[str], sampling_rate: float, *, unit: str = "mV") -> Record:
    """Make a recording of an array, for `predict`, `embed_records`, `explain` and `preprocess`.

    Parameters
    ----------
    signal : array of numbers, shape (n_samples, n_leads)
        NaN where a sample is missing.
    leads : iterable of str
        What each column is, in any spelling: `["I", "II", "V1"]`. Limb leads that are not among them are derived from
        two others.
    sampling_rate : float
        Hz.
    unit : str
        Of the numbers: `V`, `mV`, `uV` or `nV`. Integers of a converter are multiplied by their step first.

    Raises
    ------
    UserError
        It is no recording: shape, names, rate or unit.
    """
    if unit not in UNITS:
        raise UserError(f"unit is {unit!r}; say one of {', '.join(UNITS)}")
    number = isinstance(sampling_rate, int | float | np.number) and not isinstance(sampling_rate, bool)
    if not number or not 0 < float(sampling_rate) < math.inf:
        raise UserError(f"sampling_rate is {sampling_rate!r}; say a number of Hz")
    names = [] if isinstance(leads, str) or not isinstance(leads, Iterable) else list(leads)
    if not names or not all(isinstance(name, str) for name in names):
        raise UserError(f'leads is {str(leads)[:60]!r}; name each column: ["I", "II", "V1"]')
    try:
        found = np.asarray(signal)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"signal is no array: {error}") from None
    if found.dtype.kind not in "iuf":
        raise UserError(f"signal is an array of {found.dtype}; give numbers, NaN where a sample is missing")
    if found.ndim != 2 or found.shape[1] != len(names):
        turned = "; give its transpose, signal.T" if found.ndim == 2 and found.shape[0] == len(names) else ""
        raise UserError(
            f"signal has the shape {found.shape}, but (samples, leads) with the {len(names)} of `leads` is read{turned}"
        )
    return Record(found.astype(np.float64) * UNITS[unit], tuple(map(normalize_lead, names)), float(sampling_rate))
