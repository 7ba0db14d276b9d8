"""What is compared on one task: encoders, each with its fits of every seed, on the same test records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig, UserError
from ecglfm.evaluation.bootstrap import Measurable, point_values, resampled_values
from ecglfm.evaluation.classification import Predictions
from ecglfm.evaluation.hazards import RiskSets, concordance
from ecglfm.evaluation.metrics import ranking_metrics
from ecglfm.evaluation.outcomes import output_column, truth_columns
from ecglfm.evaluation.regression import RegressionPredictions
from ecglfm.evaluation.survival import SurvivalPredictions
from ecglfm.provenance import read_json

_COMPARED = {"regression": ("mae", "r2", "pearson"), "survival": ("c_index",)}


class Ranking(Predictions):
    """Predictions of classes of which the AUROC alone is measured."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of `values`."""
        return ("auroc",)

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """AUROC of one label under record weights (n, r)."""
        known = ~np.isnan(self.targets[:, label])
        target, score = self.targets[known, label], self.probabilities[known, label]
        return {"auroc": ranking_metrics(target, score, weight_nr[known])["auroc"]}


class Concordance(SurvivalPredictions):
    """Predictions of survival of which Harrell's C alone is measured."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of `values`."""
        return ("c_index",)

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """C-index of one label under record weights (n, r)."""
        known = self.known(label)
        sets = RiskSets(self.times[known, label], self.events[known, label])
        return {"c_index": concordance(sets, self.risks[known, label], weight_nr[known], np.inf)["c_index"]}


@dataclass(frozen=True)
class Contender:
    """One encoder in one mode: its fits of every seed, on the test records.

    Attributes
    ----------
    encoder : str
    setting : str
        Name of its fits without the seed: `full`, `linear-10pct`.
    fits : list of str
    seeds : list of Ranking, RegressionPredictions or Concordance
        What each fit said of the records.
    points : dict of ndarray, shape (labels,)
        Each metric, mean over seeds; NaN where undefined.
    resampled : dict of ndarray, shape (labels, resamples)
        The same in every resample.
    """

    encoder: str
    setting: str
    fits: list[str]
    seeds: list[Any]
    points: dict[str, np.ndarray]
    resampled: dict[str, np.ndarray]


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


def measurable(table: pd.DataFrame, kind: str) -> Ranking | RegressionPredictions | Concordance:
    """What `read_test` read, to be measured."""
    named = {what: table.filter(regex=rf"^{what}\.") for what in ("target", "time", "event")}
    names = [column.partition(".")[2] for column in named["time" if kind == "survival" else "target"].columns]
    patients = table["patient_id"].to_numpy(dtype=str)
    output = table[[output_column(kind, name) for name in names]].to_numpy(np.float64)
    target, time, event = (named[what].to_numpy(np.float64) for what in ("target", "time", "event"))
    if kind == "survival":
        return Concordance(names, time, event, output, patients, [None] * len(names))
    if kind == "regression":
        return RegressionPredictions(names, target, output, patients)
    return Ranking(names, target, output, np.full(len(names), 0.5), patients)


def known_patients(data: Ranking | RegressionPredictions | Concordance, label: int) -> int:
    """Number of test patients with a record whose truth is known."""
    known = data.known(label) if isinstance(data, Concordance) else ~np.isnan(data.targets[:, label])
    return len(np.unique(data.patients[known]))


def contender(
    encoder: str, setting: str, fits: list[str], seeds: list[Any], metrics: Sequence[str], config: EvaluateConfig
) -> Contender:
    """An encoder with some metrics, mean over the seeds."""
    first: Measurable = seeds[0]
    points_lm = np.mean([point_values(data) for data in seeds], axis=0)
    resampled_lmr = np.mean([resampled_values(data, config.bootstrap, config.seed) for data in seeds], axis=0)
    places = {metric: first.metrics.index(metric) for metric in metrics}
    points = {metric: points_lm[:, m] for metric, m in places.items()}
    return Contender(encoder, setting, fits, seeds, points, {name: resampled_lmr[:, m] for name, m in places.items()})
