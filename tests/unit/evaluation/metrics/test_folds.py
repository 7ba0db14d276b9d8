"""Metrics by fold: each fold's are scikit-learn's of its records alone, and one that lacks a class has no part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.metrics.bootstrap import point_values
from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.folds import fold_means
from ecglfm.evaluation.metrics.hazards import breslow
from ecglfm.evaluation.metrics.outcomes import read_outcome
from ecglfm.evaluation.metrics.regression import RegressionPredictions

FOLD = np.arange(60) % 4


def made() -> Predictions:
    """60 records; label `b` has no positive in fold 2 and is unknown in fold 3."""
    rng = np.random.default_rng(0)
    target = (rng.random((60, 2)) < 0.4).astype(float)
    target[FOLD == 2, 1], target[FOLD == 3, 1] = 0, np.nan
    said = np.clip(0.3 * np.nan_to_num(target) + 0.7 * rng.random((60, 2)), 0, 1)
    return Predictions(["a", "b"], target, said, np.full((60, 2), 0.5), np.arange(60).astype(str))


def test_each_fold_alone_as_scikit_learn_has_it() -> None:
    data = made()
    found = fold_means(data, FOLD, {"auroc": {"labels": ["a", "b"]}, "f1": {"labels": ["a"]}, "ece": {"labels": ["a"]}})
    for metric, score in (("auroc", roc_auc_score), ("auprc", average_precision_score), ("f1", f1_score)):
        each = []
        for fold in range(4):
            target, said = data.targets[fold == FOLD, 0], data.probabilities[fold == FOLD, 0]
            each.append(score(target, said >= 0.5 if metric == "f1" else said))
        entry = found["labels"]["a"][metric]
        assert entry["values"] == pytest.approx(each)
        assert (entry["mean"], entry["folds"]) == (pytest.approx(np.mean(each)), 4)
    rare = found["labels"]["b"]["auroc"]
    assert rare["values"][2:] == [None, None]
    assert (rare["mean"], rare["folds"]) == (pytest.approx(np.mean(rare["values"][:2])), 2)
    assert found["labels"]["b"]["specificity"]["folds"] == 3  # fold 2 has negatives
    mean = (found["labels"]["a"]["auroc"]["mean"] + rare["mean"]) / 2
    assert found["macro"]["auroc"] == {"mean": pytest.approx(mean), "folds": 2}
    assert found["macro"]["f1"] == {"mean": found["labels"]["a"]["f1"]["mean"], "folds": 4}
    known = ~np.isnan(data.targets)
    micro = [roc_auc_score(data.targets[rows], data.probabilities[rows])
             for fold in range(4) for rows in [known & (fold == FOLD)[:, None]]]  # fmt: skip
    assert found["micro"]["auroc"]["values"] == pytest.approx(micro)


def test_calibration_errors_are_of_the_pooled_records_alone() -> None:
    found = fold_means(made(), FOLD, {"ece": {"labels": ["a"]}})
    assert "ece" not in found["labels"]["a"]
    assert found["macro"] == {}


def test_a_metric_of_no_fold_has_no_mean() -> None:
    data = made()
    data.targets[:, 1] = 0
    found = fold_means(data, FOLD, {"auroc": {"labels": ["b"]}})
    assert found["labels"]["b"]["auroc"] == {"mean": None, "folds": 0, "values": [None] * 4}
    assert found["macro"]["auroc"] == {"mean": None, "folds": 0}


def test_quantities() -> None:
    truth = np.array([[1.0], [2.0], [5.0], [9.0]])
    data = RegressionPredictions(
        ["x"], truth, truth + np.array([[1.0], [1.0], [-3.0], [5.0]]), np.arange(4).astype(str)
    )
    entry = fold_means(data, np.array([0, 0, 1, 1]), {"mae": {"labels": ["x"]}})["labels"]["x"]["mae"]
    assert entry == {"mean": 2.5, "folds": 2, "values": [1.0, 4.0]}


def followed() -> pd.DataFrame:
    """Two models' risks of the same patients; the second's are twice the first's, and one larger."""
    rng = np.random.default_rng(1)
    risk = rng.normal(0, 0.7, 400)
    time, censored = rng.exponential(10 * np.exp(-risk)), rng.uniform(2, 12, 400)
    table = pd.DataFrame({
        "patient_id": np.arange(400).astype(str), "time.x": np.minimum(time, censored),
        "event.x": (time <= censored) * 1.0, "risk.x": risk,
    })  # fmt: skip
    half = np.arange(400) < 200
    other = table.assign(**{"risk.x": 2 * risk + 1})
    return pd.concat([
        table[half].assign(split="test", fold=0), other[~half].assign(split="test", fold=1),
        table[~half].assign(split="valid", fold=0), other[half].assign(split="valid", fold=1),
    ], ignore_index=True)  # fmt: skip


def test_survival_is_judged_by_each_models_own_baseline() -> None:
    table, config = followed(), EvaluateConfig(bootstrap=20)
    data, _ = read_outcome(table, "survival", ["x"], config)
    (reference,) = data.references
    valid = table[table["split"] == "valid"]
    events = valid.loc[valid["event.x"] > 0, "time.x"]
    np.testing.assert_allclose(reference.times, np.quantile(events, [0.25, 0.5, 0.75]))  # those of all models together
    for fold in (0, 1):
        own = valid[valid["fold"] == fold]
        rows = slice(200 * fold, 200 * fold + 200)
        hazard = breslow(*(own[f"{what}.x"].to_numpy() for what in ("time", "event", "risk")), reference.times[1:2])[0]
        np.testing.assert_allclose(reference.hazard[rows], hazard)
        np.testing.assert_allclose(reference.scale[rows], own["risk.x"].std(ddof=0))
    survival = data.reference(0).survival(data.risks[:, 0])
    # Of either model alone the Brier score is that of its half: pooled it is their mean, but for the censoring weights.
    halves = []
    for fold in (0, 1):
        part, _ = read_outcome(table[table["fold"] == fold].drop(columns="fold"), "survival", ["x"], EvaluateConfig(
            bootstrap=20, survival_times=reference.times.tolist()))  # fmt: skip
        halves.append(point_values(part)[0, part.metrics.index("brier")])
        np.testing.assert_allclose(
            survival[200 * fold : 200 * fold + 200], part.reference(0).survival(part.risks[:, 0])
        )
    assert point_values(data)[0, data.metrics.index("brier")] == pytest.approx(np.mean(halves), abs=0.01)
    groups = data.risk_groups(0)
    assert sum(group["records"] for group in groups) == 400
    assert all(abs(group["predicted"] - group["observed"]) < 0.12 for group in groups)


def test_a_survival_model_without_an_event_in_its_validation_fold() -> None:
    table = followed()
    table.loc[(table["split"] == "valid") & (table["fold"] == 1), "event.x"] = 0.0
    data, _ = read_outcome(table, "survival", ["x"], EvaluateConfig(bootstrap=20))
    assert data.references == [None]
