"""The probe against scikit-learn's own answers, and what cannot be learnt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from ecglfm.config import ConfoundersConfig, EvaluateConfig
from ecglfm.evaluation.confounders.probe import probe, usable, widened
from ecglfm.evaluation.confounders.variables import Variable
from ecglfm.evaluation.metrics import SQUARES, Scale

CONFIG, EVALUATION = ConfoundersConfig(), EvaluateConfig(bootstrap=20)


def people(count: int, each: int = 1) -> pd.Series:
    return pd.Series(np.arange(count).repeat(each).astype(str))


def test_a_quantity_that_is_a_line_of_the_vectors_has_r2_of_one() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    found = probe(x, Variable(pd.Series(x @ [1.0, -2.0, 0.5] + 1990), "year"), people(200), CONFIG, EVALUATION)
    assert found["r2"]["value"] == pytest.approx(1, abs=1e-3)
    assert found["kind"] == "quantity"


def test_a_patient_is_never_in_two_folds() -> None:
    """Vectors tell patients apart and nothing else: who has seen the patient knows his class, nobody else does."""
    rng = np.random.default_rng(0)
    x = np.eye(120).repeat(4, axis=0) + 0.01 * rng.normal(size=(480, 120))
    device = np.where(rng.random(120) < 0.5, "a", "b").repeat(4)
    found = probe(x, Variable(pd.Series(device, dtype=object), "d"), people(120, 4), CONFIG, EVALUATION)
    assert found["auroc"]["value"] < 0.65  # of folds that cut through patients it is 1
    numbers = rng.normal(size=120).repeat(4)
    assert probe(x, Variable(pd.Series(numbers), "n"), people(120, 4), CONFIG, EVALUATION)["r2"]["value"] < 0.1


def test_of_three_classes_each_is_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 2))
    x[:, 0] += 6 * (code == 2)  # c is apart, a and b are alike
    found = probe(
        x, Variable(pd.Series(np.array(list("abc"))[code], dtype=object), "d"), people(300), CONFIG, EVALUATION
    )
    assert found["balanced_accuracy"]["value"] == pytest.approx(2 / 3, abs=0.06)
    assert found["chance"] == pytest.approx(1 / 3)
    assert found["auroc"]["value"] == pytest.approx((1 + 0.75 + 0.75) / 3, abs=0.04)


def test_what_is_left_out_is_named() -> None:
    patients = people(60)
    values, about = usable(
        pd.Series(["a"] * 30 + ["b"] * 22 + ["c"] * 7 + [None], dtype=object), patients, 20, quantity=False
    )
    assert (about["classes"], about["left_out"]) == ({"a": 30, "b": 22}, {"c": 7})
    assert (about["records"], about["patients"]) == (52, 52)
    assert values.isna().sum() == 8
    few = usable(pd.Series([1.0] * 39 + [None] * 21), patients, 20, quantity=True)[1]
    assert few["reason"] == "too few: 39 patients of whom it is known, 40 are wanted"
    same = usable(pd.Series([2001.0] * 60), patients, 20, quantity=True)[1]
    assert same["reason"] == "always the same: 2001"


def test_intervals_are_wider_by_what_the_folds_share() -> None:
    """Five folds: variances 1 + 5 / 4 times as large, so that ends are 1.5 times as far away, on their scale."""
    scale = Scale(logit, expit)
    entry = {"value": 0.5, "ci_low": float(expit(-0.4)), "ci_high": float(expit(0.2))}
    wide = widened(entry, scale, 5)
    assert [wide[key] for key in entry] == pytest.approx([0.5, expit(-0.6), expit(0.3)])
    squares = widened({"value": 0.0, "ci_low": 1 - np.exp(0.2), "ci_high": 1 - np.exp(-0.2)}, SQUARES, 5)
    assert [squares["ci_low"], squares["ci_high"]] == pytest.approx([1 - np.exp(0.3), 1 - np.exp(-0.3)])
    perfect = widened({"value": 1.0, "ci_low": 0.9, "ci_high": 1.0}, scale, 5)
    assert [perfect["ci_low"], perfect["ci_high"]] == pytest.approx([0.85, 1.0])
    none = {"value": 0.5, "ci_low": None, "ci_high": None, "reason": "too few"}
    assert widened(none, scale, 5) is none
