"""A model that sees the confounders only: what it is told, of whom it learns, and whom it says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.evaluation.confounders.alone import columns_of, fit_alone, partitions
from ecglfm.evaluation.confounders.variables import Variable
from ecglfm.evaluation.metrics import auroc_influence

IDS = [f"r{i:03d}" for i in range(300)]


def table(label: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"record_id": IDS, "split": ["train"] * 150 + ["valid"] * 50 + ["test"] * 100, "label.x": label}
    )


def test_columns_are_those_of_training_records() -> None:
    ids = pd.Index(list("wxyz"))
    train = np.array([True, True, True, False])
    site = Variable(pd.Series(["A", "B", None, "C"], index=ids, dtype=object), "s")
    year = Variable(pd.Series([1990.0, 1992.0, np.nan, 1995.0], index=ids), "y")
    x = columns_of({"site": site, "year": year}, ids, train)
    expected = [[1, 0, 0, -1, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1], [0, 0, 0, 4, 0]]
    np.testing.assert_array_equal(x, expected)


def test_a_bend_is_found_by_boosting_and_a_line_by_a_line() -> None:
    rng = np.random.default_rng(0)
    year = rng.uniform(-1, 1, 300)
    variables = {"year": Variable(pd.Series(year, index=IDS), "y")}
    bent, chosen = fit_alone(variables, table((np.abs(year) > 0.5).astype(float)), "label.x", seed=0)
    assert chosen == {"chosen": ["gradient boosting"]}
    assert bent.index.tolist() == IDS[200:]
    truth = np.abs(year[200:]) > 0.5
    assert auroc_influence(truth.astype(float), bent.to_numpy())[0] > 0.97
    _, line = fit_alone(variables, table((year > 0).astype(float)), "label.x", seed=0)
    assert line["chosen"][0].startswith("logistic regression")
    _, none = fit_alone(variables, table(np.ones(300)), "label.x", seed=0)
    assert none == {"reason": "the training records have one class only"}


def test_test_labels_change_nothing() -> None:
    """Validation wants a line; test would want a bend, and there are twice as many of it."""
    year = np.random.default_rng(0).uniform(-1, 1, 300)
    variables = {"year": Variable(pd.Series(year, index=IDS), "y")}
    line, bend, row = year > 0, np.abs(year) > 0.5, np.arange(300)
    label = np.where((row < 100) | (row >= 150) & (row < 200), line, bend).astype(float)
    turned = np.where(row < 200, label, line).astype(float)
    bent, straight = (fit_alone(variables, table(own), "label.x", seed=0) for own in (label, turned))
    assert bent[1] == straight[1]
    pd.testing.assert_series_equal(bent[0], straight[0])


def test_folds_are_each_tested_once_by_a_model_that_has_not_seen_them() -> None:
    labels = pd.DataFrame({"split": ["test"] * 8 + ["train", "valid"], "fold": [0, 0, 1, 1, 2, 2, 3, 3, None, None]})
    parts = [tuple(np.flatnonzero(rows).tolist() for rows in part) for part in partitions(labels)]
    assert parts == [
        ([4, 5, 6, 7, 8], [2, 3, 9], [0, 1]),
        ([0, 1, 6, 7, 8], [4, 5, 9], [2, 3]),
        ([0, 1, 2, 3, 8], [6, 7, 9], [4, 5]),
        ([2, 3, 4, 5, 8], [0, 1, 9], [6, 7]),
    ]
