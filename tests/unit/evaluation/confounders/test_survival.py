"""Age and sex alone against a survival model: the regression is that of another library, and what is planted is found."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.confounders.survival import fit_cox, judge_survival, risk_alone
from ecglfm.evaluation.confounders.variables import Variable

PATIENTS = 600


def test_the_regression_is_that_of_statsmodels() -> None:
    duration_regression = pytest.importorskip("statsmodels.duration.hazard_regression")
    rng = np.random.default_rng(0)
    x_nc = rng.normal(size=(300, 3))
    time = np.ceil(20 * rng.exponential(np.exp(-x_nc @ [0.8, -0.4, 0.0]))) / 10  # with ties
    event = (rng.random(300) < 0.6).astype(float)
    expected = duration_regression.PHReg(time, x_nc, status=event, ties="breslow").fit().params
    np.testing.assert_allclose(fit_cox(x_nc, time, event, ridge=0.0), expected, rtol=1e-6)
    shrunk = fit_cox(np.column_stack([x_nc, x_nc[:, 0]]), time, event)  # of which there are many without the ridge
    assert shrunk[0] == pytest.approx(shrunk[3])
    assert 0 < shrunk[0] < expected[0]


def test_many_devices_need_no_matrix_of_each_record() -> None:
    rng = np.random.default_rng(0)
    x_nc = np.eye(100)[rng.integers(0, 100, 5000)]
    time, event = rng.exponential(size=5000), (rng.random(5000) < 0.1).astype(float)
    tracemalloc.start()
    try:
        fit_cox(x_nc, time, event)
        assert tracemalloc.get_traced_memory()[1] < 10 * x_nc.nbytes
    finally:
        tracemalloc.stop()


def cohort() -> tuple[pd.DataFrame, dict[str, Variable], np.ndarray]:
    """Two recordings a patient; ten years of age double the hazard; what a model could know besides is `hidden`."""
    rng = np.random.default_rng(1)
    age, hidden = rng.normal(60, 12, PATIENTS), rng.normal(size=PATIENTS)
    time = rng.exponential(np.exp(-np.log(2) / 10 * (age - 60) - 0.8 * hidden))
    end = rng.uniform(0.2, 2, PATIENTS)
    split = np.array(["train"] * 300 + ["valid"] * 50 + ["test"] * 250)
    labels = pd.DataFrame(
        {
            "patient_id": [f"p{n}" for n in range(PATIENTS)], "split": split, "time.D": np.minimum(time, end),
            "event.D": (time <= end).astype(float),
        }
    )  # fmt: skip
    labels = labels.loc[labels.index.repeat(2)].reset_index(drop=True)
    labels.insert(0, "record_id", [f"r{n}" for n in range(len(labels))])
    ages = pd.Series(np.repeat(age, 2), index=pd.Index(labels["record_id"]), dtype=float)
    ages.iloc[5] = np.nan
    return labels, {"age": Variable(ages, "age")}, np.repeat(hidden, 2)


def harrell(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> float:
    """By all pairs of an event and somebody seen for longer, or as long without one."""
    pairs = (event[:, None] == 1) & ((time[:, None] < time) | ((time[:, None] == time) & (event == 0)))
    agreed = (risk[:, None] > risk) + 0.5 * (risk[:, None] == risk)
    return float(agreed[pairs].mean())


@pytest.mark.parametrize(
    ("model", "verdict"),
    [
        (lambda hidden, age: np.zeros(len(hidden)), lambda entry: entry["ci_high"] < 0),  # knows nothing
        (lambda hidden, age: age, lambda entry: entry["ci_low"] <= 0 <= entry["ci_high"]),  # knows age
        (lambda hidden, age: np.log(2) / 10 * age + 0.8 * hidden, lambda entry: entry["ci_low"] > 0),  # and more
    ],
)
def test_what_a_model_adds_to_age(model: Callable[..., np.ndarray], verdict: Callable[[dict], bool]) -> None:
    labels, variables, hidden = cohort()
    alone = risk_alone(variables, labels, "D")
    assert alone[1] == {"chosen": ["Cox regression, ridge 1"]}
    is_test = (labels["split"] == "test").to_numpy()
    test = labels[is_test].set_index("record_id", drop=False)
    assert alone[0].index.tolist() == test.index.tolist()
    age = variables["age"].values.to_numpy()[is_test]
    found = judge_survival("D", model(hidden[is_test], age), alone, test, EvaluateConfig())
    time, event = test["time.D"].to_numpy(), test["event.D"].to_numpy()
    said = found["alone"]["c_index"]
    assert said["value"] == pytest.approx(harrell(time, event, alone[0].to_numpy()), abs=1e-9)
    assert said["ci_low"] < 0.65 < said["ci_high"]
    assert found["alone"]["difference"]["value"] == pytest.approx(found["c_index"]["value"] - said["value"], abs=1e-9)
    assert verdict(found["alone"]["difference"])


def test_without_an_event_or_a_variable_there_is_none() -> None:
    labels, variables, _ = cohort()
    assert risk_alone(variables, labels.assign(**{"event.D": 0.0}), "D")[1] == {
        "reason": "no training record has the event"
    }
    about = risk_alone({}, labels, "D")
    test = labels[labels["split"] == "test"].set_index("record_id", drop=False)
    found = judge_survival("D", np.arange(len(test), dtype=float), about, test, EvaluateConfig())
    assert found["alone"] == {"reason": "no variable is known of the training records"}
    assert found["c_index"]["value"] is not None
