"""From `predictions.parquet` to what is measured, for every kind of task; what is fitted is fitted on valid here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.metrics.calibration import fit_calibration
from ecglfm.evaluation.metrics.challenge import read_challenge
from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.regression import RegressionPredictions
from ecglfm.evaluation.metrics.survival import SurvivalPredictions, make_reference

Outcome = Predictions | RegressionPredictions | SurvivalPredictions


def label_columns(kind: str, name: str) -> list[str]:
    """Columns of a label in `labels/{task}.parquet`."""
    return [f"time.{name}", f"event.{name}"] if kind == "survival" else [f"label.{name}"]


def output_column(kind: str, name: str) -> str:
    """Column of `predictions.parquet` that holds what the model says of a label."""
    return {"regression": "prediction", "survival": "risk"}.get(kind, "probability") + f".{name}"


def threshold_columns(kind: str, names: list[str]) -> list[str]:
    """Columns of `predictions.parquet` that hold the thresholds of the model that predicted the record; of classes."""
    return [f"threshold.{name}" for name in names] if kind not in ("regression", "survival") else []


def truth_columns(kind: str, name: str) -> list[str]:
    """Columns of `predictions.parquet` that hold the truth of a label, in the order of `label_columns`."""
    return [f"time.{name}", f"event.{name}"] if kind == "survival" else [f"target.{name}"]


def read_outcome(
    table: pd.DataFrame, kind: str, names: list[str], config: EvaluateConfig
) -> tuple[Outcome, dict[str, Any]]:
    """The test split of a table of predictions, ready to be measured.

    Temperatures, a survival model's baseline hazard and the times at which it is judged come from the rows of the
    validation split alone; thresholds came with the model, and stand in the table.

    Parameters
    ----------
    table : DataFrame
        `predictions.parquet`.
    kind : str
        Kind of the task.
    names : list of str
        Labels.
    config : EvaluateConfig

    Returns
    -------
    Predictions, RegressionPredictions or SurvivalPredictions
    dict
        What was fitted on the validation split, for `metrics.json`.
    """
    valid, test = (table[table["split"] == split] for split in ("valid", "test"))
    patients = test["patient_id"].to_numpy(dtype=str)
    output = [output_column(kind, name) for name in names]
    if kind == "survival":
        time, event = ([f"{part}.{name}" for name in names] for part in ("time", "event"))
        references = [
            make_reference(*(valid[column].to_numpy(np.float64) for column in columns), times=config.survival_times)
            for columns in zip(time, event, output, strict=True)
        ]
        truth = _columns(test, time), _columns(test, event)
        return SurvivalPredictions(names, *truth, _columns(test, output), patients, references), {}
    target = [f"target.{name}" for name in names]
    if kind == "regression":
        return RegressionPredictions(names, _columns(test, target), _columns(test, output), patients), {}
    exclusive = kind == "multiclass"
    calibration = fit_calibration(
        _columns(valid, target), _columns(valid, output), config.calibration, exclusive=exclusive
    )
    weights = config.challenge_weights
    probabilities = _columns(test, output)
    outcome = Predictions(
        names, _columns(test, target), probabilities, _columns(test, threshold_columns(kind, names)), patients,
        exclusive=exclusive,
        calibrated=None if calibration is None else calibration.apply(probabilities),
        challenge=None if weights is None else read_challenge(Path(weights), names),
    )  # fmt: skip
    if calibration is None:
        return outcome, {}
    temperatures = dict(zip(names, calibration.temperatures.tolist(), strict=True))
    return outcome, {"calibration": {"method": config.calibration, "fitted_on": "valid", "temperature": temperatures}}


def _columns(table: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Columns as float64, shape (rows, columns)."""
    return table[names].to_numpy(dtype=np.float64)
