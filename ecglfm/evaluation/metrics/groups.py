"""Metrics by sex, age band, source, device and signal quality, each with its own interval.

A group of few patients has no value but a reason: its number would be read, and it would be noise. A label of which few
patients of a group are positive or negative is `too few` in it, as in the whole (`evaluate.min_patients`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.outcomes import read_outcome

#: Fewer test patients than this and a group has no values.
MIN_PATIENTS = 20
_AGES = ((0, 18, "0-17"), (18, 40, "18-39"), (40, 60, "40-59"), (60, 80, "60-79"), (80, 200, "80 and over"))
_DEVICE = "native.device"
UNKNOWN = "unknown"


def group_names(records: pd.DataFrame, index: Sequence[Path] = ()) -> dict[str, pd.Series]:
    """Group of each record by each variable.

    Parameters
    ----------
    records : DataFrame
        Rows of the manifest: `record_id`, `source`, and what there is of `sex`, `age`, `flags`.
    index : sequence of path
        `index/{source}.parquet` of their sources, which say the device where the database does.

    Returns
    -------
    dict of Series of str
        `sex`, `age`, `source`, `device`, `quality` (`flagged`: with a quality flag), those that are known of a
        record at least; aligned with `records`.
    """
    nothing = pd.Series(None, index=records.index, dtype=object)
    age = pd.to_numeric(records.get("age", nothing), errors="coerce")
    flags = records.get("flags")
    groups = {
        "sex": records.get("sex", nothing),
        "age": pd.Series([_band(value) for value in age], index=records.index),
        "source": records["source"],
        "device": records["record_id"].map(_devices(index)),
        "quality": nothing if flags is None else flags.fillna("").map(lambda text: "flagged" if text else "clean"),
    }
    named = {name: values.where(values.notna(), UNKNOWN).astype(str) for name, values in groups.items()}
    return {name: values for name, values in named.items() if (values != UNKNOWN).any()}


def _band(age: float) -> str:
    return next((name for low, high, name in _AGES if low <= age < high), UNKNOWN)


def _devices(index: Sequence[Path]) -> dict[str, str]:
    """Device of each record, as its database names it."""
    devices: dict[str, str] = {}
    for path in index:
        if _DEVICE in pq.read_schema(path).names:
            table = pd.read_parquet(path, columns=["record_id", _DEVICE]).dropna()
            devices |= dict(zip(table["record_id"], table[_DEVICE].astype(str).str.strip(), strict=True))
    return devices


def subgroups(
    predictions: pd.DataFrame,
    groups: dict[str, pd.Series],
    *,
    kind: str,
    names: list[str],
    config: EvaluateConfig,
) -> dict[str, Any]:
    """Metrics of the test records of each group.

    Parameters
    ----------
    predictions : DataFrame
        `predictions.parquet`; the validation rows serve as for the whole (baseline hazards).
    groups : dict of Series of str
        As `group_names` gives them, aligned with `predictions`.
    kind, names, config
        As in `read_outcome`.

    Returns
    -------
    dict
        `{variable}.{group}`: `n` (records and patients), and `labels` and `macro` as in `metrics.json`, or `reason`.
    """
    on_test = predictions["split"] == "test"
    out: dict[str, Any] = {}
    for variable, group_of in groups.items():
        found = sorted(group_of[on_test].unique(), key=lambda name: (name == UNKNOWN, name))
        out[variable] = {
            name: _measure(predictions[~on_test | (group_of == name)].copy(), kind, names, config) for name in found
        }
    return out


def _measure(table: pd.DataFrame, kind: str, names: list[str], config: EvaluateConfig) -> dict[str, Any]:
    """Entry of one group: the test rows of `table`."""
    on_test = table["split"] == "test"
    patients = table.loc[on_test, "patient_id"].nunique()
    entry: dict[str, Any] = {"n": {"records": int(on_test.sum()), "patients": int(patients)}}
    if patients < MIN_PATIENTS:
        return entry | {"reason": f"fewer than {MIN_PATIENTS} test patients"}
    outcome, _ = read_outcome(table, kind, names, config)
    summary = summarize(
        outcome,
        resamples=config.bootstrap,
        confidence=config.confidence,
        seed=config.seed,
        min_patients=config.min_patients,
    )
    kept = [metric for metric in outcome.measures if metric.by_group] or list(outcome.measures)
    labels = {name: {metric.name: summary["labels"][name][metric.name] for metric in kept} for name in names}
    macro = {metric.name: summary["macro"][metric.name] for metric in kept if metric.macro}
    return entry | {"labels": labels, "macro": macro}
