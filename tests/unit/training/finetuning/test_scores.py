"""Scores that choose an epoch, against scikit-learn and by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from ecglfm.training.finetuning.scores import c_index, macro_auprc, macro_auroc, macro_f1, mae

#: Answers of scikit-survival, with ties of times and risks; make_golden_survival.py, beside it, made them.
GOLDEN = json.loads((Path(__file__).parents[2] / "evaluation/metrics/golden_survival.json").read_text())


def test_macro_auroc_by_hand() -> None:
    nan = np.nan
    target = np.array([[1, 0, 1], [0, 1, 1], [1, nan, 1], [0, 0, 1]], float)
    score = np.array([[0.9, 0.1, 0.5], [0.8, 0.9, 0.5], [0.7, 0.0, 0.5], [0.1, 0.2, 0.5]])
    # first label: 3 of 4 pairs in order; second: 2 of 2; third has one class and is left out
    assert macro_auroc(target, score) == pytest.approx((0.75 + 1.0) / 2)
    assert np.isnan(macro_auroc(target[:, 2:], score[:, 2:]))


def test_scores_of_classes_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    target = (rng.random((200, 2)) < [0.3, 0.1]).astype(np.float32)
    score = np.round(rng.random((200, 2)) + 0.3 * target, 1).astype(np.float32)  # with ties
    unknown = rng.random((200, 2)) < 0.2
    target[unknown] = np.nan
    columns = [(y[~np.isnan(y)], s[~np.isnan(y)]) for y, s in zip(target.T, score.T, strict=True)]
    assert macro_auroc(target, score) == pytest.approx(np.mean([roc_auc_score(y, s) for y, s in columns]))
    assert macro_auprc(target, score) == pytest.approx(np.mean([average_precision_score(y, s) for y, s in columns]))
    best = [max(f1_score(y, s >= threshold) for threshold in np.unique(s)) for y, s in columns]
    assert macro_f1(target, score) == pytest.approx(np.mean(best))


def test_mean_absolute_error_by_hand() -> None:
    target = np.array([[60.0, 1.0], [70.0, np.nan], [80.0, 3.0]])
    assert mae(target, np.array([[61.0, 1.5], [70.0, 9.0], [75.0, 3.0]])) == pytest.approx((2.0 + 0.25) / 2)


def test_concordance_is_that_of_two_loops() -> None:
    rng = np.random.default_rng(1)
    time, event = np.ceil(rng.exponential(8, 400)), rng.random(400) < 0.8  # ties of time, and of risk
    risk = np.round(-time / 10 + rng.normal(size=400), 1)
    values = []
    for i in np.flatnonzero(event):
        for j in range(400):
            if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                values.append(1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0)
    signed = np.append(np.where(event, time, -time), np.nan)[:, None]
    assert c_index(signed, np.append(risk, 5)[:, None]) == pytest.approx(np.mean(values), rel=1e-12)


@pytest.mark.parametrize("golden", GOLDEN)
def test_concordance_is_that_of_scikit_survival(golden: dict) -> None:
    time, event, risk = (np.array(golden[key], dtype=float) for key in ("time", "event", "risk"))
    signed = np.where(event > 0, time, -time)
    assert c_index(signed[:, None], risk[:, None]) == pytest.approx(golden["c_index"], abs=1e-12)


def test_concordance_by_hand_and_undefined() -> None:
    # event at 1 against three later ones: two lower risks, one equal; event at 3: nobody later but the one unseen at 3
    signed, risk = np.array([[1.0], [-2.0], [3.0], [-3.0]]), np.array([[2.0], [2.0], [0.0], [1.0]])
    assert c_index(signed, risk) == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    assert np.isnan(c_index(-np.abs(signed), risk))
    assert np.isnan(c_index(np.array([[-1.0], [2.0]]), np.zeros((2, 1))))  # gone before the only event


@pytest.mark.parametrize("score", [macro_auroc, macro_auprc, macro_f1, mae, c_index])
def test_nothing_known_is_no_score(score: Callable) -> None:
    assert np.isnan(score(np.full((3, 2), np.nan), np.ones((3, 2))))
    assert np.isnan(score(np.zeros((0, 2)), np.ones((0, 2))))
