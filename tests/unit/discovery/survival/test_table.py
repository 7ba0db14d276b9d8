"""Hazard ratios per standard deviation, and what a feature adds to the ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from ecglfm.discovery.survival.cox import fit_cox
from ecglfm.discovery.survival.table import COLUMNS, concordance_gain, hazard_ratios

HOW = {"ties": "efron", "folds": 5, "resamples": 200, "confidence": 0.95, "seed": 0}


def cohort(seed: int, n: int = 800) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, np.ndarray]:
    """Age drives death, and so does feature `risk` (log hazard ratio 0.6 a standard deviation); `old` is age's shadow."""
    rng = np.random.default_rng(seed)
    age, sex, risk = rng.uniform(40, 80, n), rng.integers(0, 2, n).astype(float), rng.normal(size=n)
    old = 0.08 * (age - 60) + rng.normal(size=n)
    time = rng.exponential(1 / np.exp(0.06 * (age - 60) + 0.3 * sex + 0.6 * risk))
    end = rng.uniform(0.2, 3.0, n)
    edf = pd.DataFrame({"risk": 5.0 * risk, "old": old, "noise": rng.normal(size=n)})
    return np.minimum(time, end), (time <= end).astype(float), edf, np.column_stack([age, sex])


def test_a_planted_hazard_ratio_is_found_over_age_and_sex():
    inside = []
    for seed in range(20):
        time, event, edf, z = cohort(seed)
        found = hazard_ratios(time, event, edf, z, ties="efron").set_index("edf")
        inside.append(found.loc["risk", "ci_low"] < np.exp(0.6) < found.loc["risk", "ci_high"])
    assert np.mean(inside) >= 0.85  # of 20, 0.95 are expected
    assert found.loc["risk", "q_value"] < 1e-10
    assert found.loc["old", "p_value"] > 0.01  # though it goes with death, by age
    alone = fit_cox(time, event, edf[["old"]].to_numpy())
    assert alone.beta[0] / alone.error[0] > 4


def test_a_row_is_the_model_of_that_feature():
    time, event, edf, z = cohort(0)
    found = hazard_ratios(time, event, edf, z, ties="breslow")
    assert found.columns.tolist() == COLUMNS
    fit = fit_cox(time, event, np.column_stack([edf["risk"], z]), ties="breslow")
    scale = edf["risk"].std()
    assert np.log(found.loc[0, "hazard_ratio"]) == pytest.approx(fit.beta[0] * scale, rel=1e-9)
    half = 1.959964 * fit.error[0] * scale
    assert np.log(found.loc[0, ["ci_low", "ci_high"]].astype(float)).tolist() == pytest.approx(
        [fit.beta[0] * scale - half, fit.beta[0] * scale + half], rel=1e-6
    )
    assert found["q_value"].to_numpy() == pytest.approx(false_discovery_control(found["p_value"]))
    assert found.loc[0, ["n", "events"]].tolist() == [800, event.sum()]


def test_covariates_that_do_not_vary_and_constant_features_are_no_trouble():
    time, event, edf, z = cohort(0)
    edf["flat"] = 1.0
    men = np.column_stack([z[:, 0], np.ones(len(z))])
    found = hazard_ratios(time, event, edf, men, ties="efron").set_index("edf")
    assert found.loc["risk", "hazard_ratio"] == pytest.approx(
        hazard_ratios(time, event, edf, men[:, :1], ties="efron").loc[0, "hazard_ratio"]
    )
    assert found.loc["flat", ["hazard_ratio", "p_value", "q_value", "ph_p_value"]].isna().all()
    assert found["q_value"].notna().sum() == 3


def test_what_tells_more_than_age_gains_and_what_does_not_does_not():
    time, event, edf, z = cohort(1)
    people = np.arange(len(time)).astype(str)
    risk, noise = (concordance_gain(time, event, edf[name].to_numpy(), z, people, **HOW) for name in ("risk", "noise"))
    assert risk["c_gain"] == pytest.approx(risk["c_index"] - risk["c_index_covariates"])
    assert 0.02 < risk["c_gain_low"] < risk["c_gain"] < risk["c_gain_high"]
    assert noise["c_gain_low"] <= 0 <= noise["c_gain_high"] + 1e-9
    assert risk["c_index_covariates"] == noise["c_index_covariates"] == pytest.approx(0.65, abs=0.06)


def test_a_chance_feature_gains_nothing_on_average():
    gains = []
    for seed in range(30):
        time, event, edf, z = cohort(seed, 150)
        how = HOW | {"resamples": 0}
        gains.append(
            concordance_gain(time, event, edf["noise"].to_numpy(), z, np.arange(150).astype(str), **how)["c_gain"]
        )
    assert np.mean(gains) < 2 * np.std(gains) / np.sqrt(30)  # fitted on the same people it would be above 0


def test_the_same_seed_gives_the_same_gain_and_another_nearly():
    time, event, edf, z = cohort(2)
    people = np.arange(len(time)).astype(str)
    first, again = (concordance_gain(time, event, edf["risk"].to_numpy(), z, people, **HOW) for _ in range(2))
    assert first == again
    other = concordance_gain(time, event, edf["risk"].to_numpy(), z, people, **(HOW | {"seed": 1}))
    assert other["c_gain"] == pytest.approx(first["c_gain"], abs=0.01)


def test_where_a_covariate_begins_changes_nothing():
    """Born in 1950 or 50 years old: each fold's risks are of its own model, and are ranked together."""
    time, event, edf, z = cohort(3, 300)
    people = np.arange(len(time)).astype(str)
    how = HOW | {"resamples": 0}
    aged, risk = z + np.array([1900.0, 7.0]), edf["risk"].to_numpy()
    first = concordance_gain(time, event, risk, z, people, **how)
    other = concordance_gain(time, event, risk - 1e3, aged, people, **how)
    for name in ("c_index_covariates", "c_index", "c_gain"):
        assert other[name] == pytest.approx(first[name], abs=1e-6)
