"""What is compared on one task: encoders, each with its fits of every seed, on the same test records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.evaluation.comparison.influence import auroc_influence, concordance_influence, regression_influence
from ecglfm.evaluation.metrics import (
    Outcome,
    Predictions,
    RegressionPredictions,
    SurvivalPredictions,
    Truth,
    known_records,
    output_column,
    truth_columns,
)
from ecglfm.provenance import read_json

_COMPARED = {"regression": ("mae", "r2", "pearson"), "survival": ("c_index",)}


@dataclass(frozen=True)
class Contender:
    """One encoder in one mode: its fits of every seed, on the test records.

    Attributes
    ----------
    encoder : str
    setting : str
        Name of its fits without the seed: `full`, `linear-10pct`.
    fits : list of str
    data : Outcome
        What the first fit said of the records.
    values : dict of ndarray, shape (seeds, labels)
        Each metric of each fit; NaN where undefined.
    terms : dict of ndarray, shape (labels, patients)
        What each patient adds to the metric's mean over the seeds (`influence`).
    """

    encoder: str
    setting: str
    fits: list[str]
    data: Outcome
    values: dict[str, np.ndarray]
    terms: dict[str, np.ndarray]


def compared(kind: str) -> tuple[str, ...]:
    """Metrics by which encoders are compared on a task of this kind."""
    return _COMPARED.get(kind, ("auroc",))


def setting_of(fit: str) -> str:
    """Name of a fit without its seed: `full-s0-10pct` is `full-10pct`."""
    return re.sub(r"-s\d+(?=-|$)", "", fit)


def read_metrics(folder: Path) -> dict[str, Any]:
    """`metrics.json` of a model; `UserError` where it is not there."""
    path = folder / "metrics.json"
    if not path.is_file():
        raise UserError(f"{path}: no such file; run `evaluate` of this model first")
    return dict(read_json(path))


def read_test(folder: Path, kind: str) -> pd.DataFrame:
    """Test records of a model's `predictions.parquet`, by record; the columns in the order of its labels."""
    names = read_metrics(folder)["label_names"]
    columns = [column for name in names for column in (*truth_columns(kind, name), output_column(kind, name))]
    table = pd.read_parquet(folder / "predictions.parquet", columns=["record_id", "patient_id", "split", *columns])
    return table[table["split"] == "test"].sort_values("record_id", ignore_index=True)


def check_same(tables: dict[Path, pd.DataFrame]) -> None:
    """Raise `UserError` where models were tested on other records or labels."""
    (folder, first), *others = (
        (folder, table.filter(regex=r"^record_id$|^patient_id$|^(target|time|event)\."))
        for folder, table in tables.items()
    )
    for path, other in others:
        if not first.equals(other):
            raise UserError(
                f"{path}/predictions.parquet: other test records or labels than {folder} has; evaluate both again"
            )


def measurable(table: pd.DataFrame, kind: str) -> Outcome:
    """What `read_test` read, to be measured."""
    named = {what: table.filter(regex=rf"^{what}\.") for what in ("target", "time", "event")}
    names = [column.partition(".")[2] for column in named["time" if kind == "survival" else "target"].columns]
    patients = table["patient_id"].to_numpy(dtype=str)
    output = table[[output_column(kind, name) for name in names]].to_numpy(np.float64)
    target, time, event = (named[what].to_numpy(np.float64) for what in ("target", "time", "event"))
    if kind == "survival":
        return SurvivalPredictions(names, time, event, output, patients, [None] * len(names))
    if kind == "regression":
        return RegressionPredictions(names, target, output, patients)
    return Predictions(names, target, output, np.full(target.shape, 0.5), patients)


def contender(
    encoder: str, setting: str, fits: list[str], seeds: Sequence[Outcome], metrics: Sequence[str], truth: Truth
) -> Contender:
    """An encoder with some metrics of each of its fits, and what each patient adds to their means."""
    shape = (len(truth.names), truth.classes.shape[1])
    values = {metric: np.full((len(seeds), len(truth.names)), np.nan) for metric in metrics}
    terms = {metric: np.zeros(shape) for metric in metrics}
    for seed, data in enumerate(seeds):
        for label in range(len(truth.names)):
            known = known_records(data, label)
            for metric, (value, of_records) in _influence(data, label, known).items():
                values[metric][seed, label] = value
                by_patient = np.bincount(truth.patient_of[known], of_records, minlength=shape[1])
                terms[metric][label] += by_patient / len(seeds)
    return Contender(encoder, setting, fits, seeds[0], values, terms)


def _influence(data: Outcome, label: int, known: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
    """Compared metrics of one label with what each known record adds."""
    if isinstance(data, SurvivalPredictions):
        columns = (data.times, data.events, data.risks)
        return {"c_index": concordance_influence(*(column[known, label] for column in columns))}
    if isinstance(data, RegressionPredictions):
        return regression_influence(data.targets[known, label], data.predictions[known, label])
    return {"auroc": auroc_influence(data.targets[known, label], data.probabilities[known, label])}
