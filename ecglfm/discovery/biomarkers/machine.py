"""Intervals and axes as the electrocardiograph measured them, of databases whose tables have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ecglfm.discovery.biomarkers.measure import AXES, INTERVALS

#: What stands for "not measured" in MIMIC-IV-ECG's machine_measurements.csv; what is beyond is no ms and no degree.
_UNMEASURED = 29_999
_LONGEST = 5000.0  # ms, of any interval
#: Biomarker: columns that have it, by the names of CardioSoft, MUSE and vendors' files; the first that has a number.
_STATED = {
    "rr_ms": ("RRInterval", "rr_interval"),
    "heart_rate": ("VentricularRate", "heart_rate"),
    "p_ms": ("PDuration",),
    "pr_ms": ("PQInterval", "PRInterval", "pr_interval"),
    "qrs_ms": ("QRSDuration", "qrs_duration"),
    "qt_ms": ("QTInterval", "qt_interval"),
    "p_axis": ("PAxis", "p_axis"),
    "qrs_axis": ("RAxis", "qrs_axis"),
    "t_axis": ("TAxis", "t_axis"),
}
#: Biomarker: columns of its beginning and of its end, ms, as MIMIC-IV-ECG has them.
_BETWEEN = {
    "p_ms": ("p_onset", "p_end"),
    "pr_ms": ("p_onset", "qrs_onset"),
    "qrs_ms": ("qrs_onset", "qrs_end"),
    "qt_ms": ("qrs_onset", "t_end"),
}
_COLUMNS = {name for names in (*_STATED.values(), *_BETWEEN.values()) for name in names}


def read_machine(index: Sequence[Path], records: Sequence[str]) -> pd.DataFrame:
    """What the machines say of some records.

    Parameters
    ----------
    index : sequence of path
        `index/{source}.parquet`, with a database's own columns as `native.{column}`.
    records : sequence of str
        `record_id` of those that are wanted.

    Returns
    -------
    DataFrame
        A row per record, by `record_id` in their order; the intervals and axes of `measure.NAMES`, NaN where nothing is
        said. Corrected QT is computed from the machine's QT and RR, whatever formula the machine has.
    """
    parts = []
    for path in index:
        native = [name for name in pq.read_schema(path).names if name.removeprefix("native.") in _COLUMNS]
        there = [name for name in native if name.startswith("native.")]
        if there:
            table = pd.read_parquet(path, columns=["record_id", *there], filters=[("record_id", "in", list(records))])
            parts.append(machine_biomarkers(table.set_index("record_id").rename(columns=lambda name: name[7:])))
    empty = pd.DataFrame(columns=[*INTERVALS, *AXES], dtype=np.float64)
    return pd.concat([empty, *parts]).reindex(list(records))


def machine_biomarkers(native: pd.DataFrame) -> pd.DataFrame:
    """Biomarkers of the databases' own columns.

    Parameters
    ----------
    native : DataFrame
        Columns by the databases' names, text or numbers.

    Returns
    -------
    DataFrame
        The same rows; `INTERVALS` and `AXES` of `measure`.
    """
    numbers = native.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    numbers = numbers.where(numbers.abs() < _UNMEASURED)
    found = pd.DataFrame(np.nan, native.index, [*INTERVALS, *AXES])
    for name, columns in _STATED.items():
        for column in columns:
            if column in numbers:
                found[name] = found[name].fillna(numbers[column])
    for name, (start, end) in _BETWEEN.items():
        if start in numbers and end in numbers:
            found[name] = found[name].fillna(numbers[end] - numbers[start])
    lengths = [name for name in INTERVALS if name in _STATED]
    found[lengths] = found[lengths].where((found[lengths] > 0) & (found[lengths] < _LONGEST))
    found["rr_ms"] = found["rr_ms"].fillna(60_000.0 / found["heart_rate"])
    found["heart_rate"] = found["heart_rate"].fillna(60_000.0 / found["rr_ms"])
    rr = found["rr_ms"] / 1000.0
    found["qtc_bazett_ms"], found["qtc_fridericia_ms"] = found["qt_ms"] / np.sqrt(rr), found["qt_ms"] / np.cbrt(rr)
    return found
