"""From `predictions.parquet` to what is measured: test records alone, and what is fitted comes from valid alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.metrics import Predictions, RegressionPredictions, SurvivalPredictions
from ecglfm.evaluation.metrics.outcomes import read_outcome


def table(**columns: list[float]) -> pd.DataFrame:
    """Four records in valid, two in test, of four patients; one that is tested elsewhere between them."""
    splits = ["valid", "test", "valid", "external", "valid", "test", "valid"]
    return pd.DataFrame({"split": splits, "patient_id": list("abcdaef")} | columns)


#: Of an over-confident model: log odds of 2 where the truth says one of four is wrong, 1.0986.
CLASSES = table(
    **{
        "target.x": [1, 1, 1, 1, 1, 0, 0],
        "probability.x": [0.9, 0.8, 0.9, 0.5, 0.9, 0.3, 0.9],
        "threshold.x": [0.4, 0.4, 0.4, 0.4, 0.4, 0.6, 0.4],
    }
)


def test_classes_are_the_test_records_with_their_own_thresholds() -> None:
    data, fitted = read_outcome(CLASSES, "multilabel", ["x"], EvaluateConfig())
    assert isinstance(data, Predictions)
    assert data.targets.tolist() == [[1], [0]]
    assert data.probabilities.tolist() == [[0.8], [0.3]]
    assert np.ravel(data.thresholds).tolist() == [0.4, 0.6]
    assert data.patients.tolist() == ["b", "e"]
    assert (data.exclusive, data.uncalibrated, fitted) == (False, None, {})


def test_quantities() -> None:
    rows = table(**{"target.x": [1, 2, 3, 4, 5, 6, 7], "prediction.x": [10, 20, 30, 40, 50, 60, 70]})
    data, fitted = read_outcome(rows, "regression", ["x"], EvaluateConfig())
    assert isinstance(data, RegressionPredictions)
    assert (data.targets.tolist(), data.predictions.tolist(), fitted) == ([[2], [6]], [[20], [60]], {})


def test_times_are_judged_by_a_reference_of_valid() -> None:
    rows = table(
        **{"time.x": [1, 9, 2, 9, 3, 8, 4], "event.x": [1, 1, 1, 0, 1, 0, 0], "risk.x": [0.4, 5, 0.3, 0, 0.2, 6, 0.1]}
    )
    data, _ = read_outcome(rows, "survival", ["x"], EvaluateConfig())
    assert isinstance(data, SurvivalPredictions)
    assert (data.times.tolist(), data.events.tolist(), data.risks.tolist()) == ([[9], [8]], [[1], [0]], [[5], [6]])
    (reference,) = data.references
    assert reference is not None
    assert reference.horizon <= 4  # the longest of valid; test has 9
    np.testing.assert_allclose(reference.limits, np.quantile([0.4, 0.3, 0.2, 0.1], [0.25, 0.5, 0.75]))
