"""How good a recording is: all its measures, and the judgement by the tests of the config."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ecglfm.config import LEADS, QualityConfig, QualityTest, RangeTest
from ecglfm.data.signals.quality_measures import (
    amplitude,
    blocks,
    clipped_samples,
    einthoven_residual,
    lead_off,
    long_gap,
    mains_noise,
    swapped_leads,
)

#: Columns of the preprocess table and their types; their units are in `UNITS`, their meaning in `QualityConfig`.
MEASURES = {
    "missing_leads": "int64",
    "missing_fraction": "float64",
    "long_gap": "float64",
    "flat_leads": "int64",
    "lead_off": "float64",
    "clipped_fraction": "float64",
    "amplitude": "float64",
    "mains_noise": "float64",
    "mains_frequency": "float64",
    "einthoven_residual": "float64",
    "swapped_leads": "float64",
}
POSITION = {lead: position for position, lead in enumerate(LEADS)}
UNITS = {"long_gap": " s", "lead_off": " s", "amplitude": " mV", "mains_noise": " uV", "mains_frequency": " Hz"}


class Quality(NamedTuple):
    """Measures of one recording (`MEASURES`) and, for some of them, where: leads, frequency."""

    values: dict[str, float]
    where: dict[str, str]


def measure(signal: np.ndarray, fs: float, *, leads: list[str], present: list[bool], max_gap_seconds: float) -> Quality:
    """Every measure of a raw recording.

    Parameters
    ----------
    signal : ndarray, shape (12, n_samples)
        Microvolts in the standard leads; NaN where a sample is missing in a floating-point signal.
    fs : float
        Hz.
    leads : list of str
        The leads that matter, in any order; a measure that needs another one is NaN.
    present : list of bool
        Which of the 12 were recorded or derived. Absent ones are only counted.
    max_gap_seconds : float
        Runs of missing samples up to here are no long gap.

    Returns
    -------
    Quality
        NaN: a measure that this recording cannot have.
    """
    names = [lead for lead in leads if present[POSITION[lead]]]
    absent = [lead for lead in leads if lead not in names]
    values = dict.fromkeys(MEASURES, math.nan) | {"missing_leads": len(absent), "flat_leads": 0}
    where = {"missing_leads": " ".join(absent)}
    if not names:
        return Quality(values, where)
    chosen = signal if names == list(LEADS) else signal[[POSITION[lead] for lead in names]]
    found = blocks(chosen, fs)
    still = [name for name, moves in zip(names, found.moving.tolist(), strict=True) if not moves]
    off = lead_off(found)
    hum, frequency = mains_noise(chosen, fs)
    values |= {
        "missing_fraction": 0.0,
        "long_gap": 0.0,
        "flat_leads": len(still),
        "lead_off": off.value,
        "clipped_fraction": clipped_samples(chosen, fs, found) / chosen.size,
        "amplitude": amplitude(found),
        "mains_noise": hum.value,
        "mains_frequency": frequency,
    }
    where |= {
        "flat_leads": " ".join(still),
        "amplitude": "no lead moves" if len(still) == len(names) else "",
        "lead_off": "" if off.row is None else names[off.row],
        "mains_noise": "" if hum.row is None else f"{names[hum.row]} at {frequency:g} Hz",
    }
    if chosen.dtype.kind == "f":
        missing = np.isnan(chosen)
        gap = long_gap(missing, fs, max_gap_seconds)
        values |= {"missing_fraction": float(missing.mean()), "long_gap": gap.value}
        where["long_gap"] = "" if gap.row is None else names[gap.row]
    one, two, three, v6 = (signal[POSITION[lead]] for lead in ("I", "II", "III", "V6"))
    if {"I", "II", "III"} <= set(names):
        values["einthoven_residual"] = einthoven_residual(one, two, three)
    if {"I", "II", "V6"} <= set(names):
        values["swapped_leads"], where["swapped_leads"] = swapped_leads(one, two, v6, fs)
    return Quality(values, where)


def _fault(value: float, test: QualityTest | RangeTest, unit: str) -> str | None:
    """What is wrong with a value, or None; NaN passes."""
    if isinstance(test, RangeTest):
        if test.lowest <= value <= test.highest or math.isnan(value):
            return None
        return f"{value:.4g}{unit}, limits {test.lowest:g} to {test.highest:g}"
    return f"{value:.4g}{unit}, limit {test.limit:g}" if value > test.limit else None


def judge(quality: Quality, config: QualityConfig) -> tuple[dict[str, str], tuple[str, str] | None]:
    """Flags (test: detail) and the reason to drop (test, detail) if there is one; then there are no flags."""
    flags: dict[str, str] = {}
    for name in QualityConfig.model_fields:
        test = getattr(config, name)
        fault = _fault(quality.values[name], test, UNITS.get(name, ""))
        if fault is None or test.action == "keep":
            continue
        where = quality.where.get(name)
        detail = f"{fault}: {where}" if where else fault
        if test.action == "drop":
            return {}, (name, detail)
        flags[name] = detail
    return flags, None
