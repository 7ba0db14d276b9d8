"""Test records to look at: what the model is surest of, what it errs most on, and one drawn blindly.

A page of successes would flatter the model; the three questions are fixed beforehand and the answer is
the same at every run.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.evaluation.plots import data_uri, plot_ecg, png

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """A record and why it is shown; `row` is its position in the table of predictions."""

    row: int
    why: str


def choose_examples(table: pd.DataFrame, names: list[str]) -> list[Example]:
    """Pick up to three different records of the test split.

    Parameters
    ----------
    table : DataFrame
        `predictions.parquet`.
    names : list of str
        Labels.
    """
    test = np.flatnonzero((table["split"] == "test").to_numpy())
    if not len(test):
        return []
    target = table[[f"target.{name}" for name in names]].to_numpy(dtype=np.float64)[test]
    probability = table[[f"probability.{name}" for name in names]].to_numpy(dtype=np.float64)[test]
    hit = np.where(target == 1, probability, -1.0)
    error = np.nan_to_num(np.abs(target - probability), nan=-1.0)
    ranked = [
        (hit.max(axis=1), "Surest true positive", (target == 1).any(axis=1)),
        (error.max(axis=1), "Largest error", (error >= 0).any(axis=1)),
        (_blind(table["record_id"].to_numpy(dtype=str)[test]), "Drawn blindly", np.ones(len(test), dtype=bool)),
    ]
    chosen: list[Example] = []
    taken = np.zeros(len(test), dtype=bool)
    for score, why, possible in ranked:
        free = np.flatnonzero(possible & ~taken)
        if len(free):
            best = free[np.argmax(score[free])]
            taken[best] = True
            chosen.append(Example(int(test[best]), why))
    return chosen


def _blind(records: np.ndarray) -> np.ndarray:
    """A number per record that has nothing to do with the model."""
    return np.array([int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:6], "big") for name in records])


def read_signal(results: Path, record: pd.Series) -> np.ndarray:
    """Prepared samples of a record in mV, shape (n_samples, leads)."""
    path = results / "preprocess" / str(record["source"]) / f"{int(record['shard']):03d}.npy"
    shard = np.load(path, mmap_mode="r", allow_pickle=False)
    start = int(record["offset"])
    return np.asarray(shard[start : start + int(record["n_samples"])], dtype=np.float64) / 1000.0


def draw_example(results: Path, record: pd.Series, leads: list[str]) -> str | None:
    """The record on ECG paper as a data URI; None, with a warning, where its samples are gone."""
    try:
        signal_mv = read_signal(results, record)
        figure = plot_ecg(signal_mv, float(record["sampling_rate"]), leads, str(record["record_id"]), note=_who(record))
    except (OSError, ValueError) as error:
        logger.warning("%s: no picture: %s", record["record_id"], error)
        return None
    return data_uri(png(figure, dpi=130))


def _who(record: pd.Series) -> str:
    sex = record["sex"] if isinstance(record["sex"], str) else ""
    age = f"{record['age']:.0f} years" if pd.notna(record["age"]) else ""
    return ", ".join(part for part in (sex, age) if part)


def verdicts(row: pd.Series, names: list[str]) -> list[dict[str, Any]]:
    """Labels of a record that are true or predicted, surest first: name, truth, probability, verdict."""
    found = []
    for name in names:
        target, probability, threshold = (
            float(row[f"{what}.{name}"]) for what in ("target", "probability", "threshold")
        )
        called = probability >= threshold
        if target == 1 or called:
            verdict = {True: "hit" if called else "missed", False: "false alarm"}[target == 1]
            found.append({"name": name, "probability": probability, "threshold": threshold,
                          "verdict": "truth unknown" if np.isnan(target) else verdict})  # fmt: skip
    return sorted(found, key=lambda entry: -entry["probability"])
