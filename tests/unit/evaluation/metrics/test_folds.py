"""Metrics by fold: each fold's are scikit-learn's of its records alone, and one that lacks a class has no part."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.folds import fold_means
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
