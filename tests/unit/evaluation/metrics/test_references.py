"""What survival is judged by: of each record that of the model that predicted it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.metrics.bootstrap import point_values
from ecglfm.evaluation.metrics.outcomes import read_outcome
from ecglfm.evaluation.metrics.references import Reference
from ecglfm.models.baseline_hazard import breslow, hazard_at


def test_a_group_of_risk_begins_at_its_limit() -> None:
    one = Reference(np.array([1.0]), 0.5, 1.0, np.array([-1.0, 0.0, 1.0]))
    assert one.groups(np.array([-2, -1, -0.5, 0, 0.5, 1, 2.0])).tolist() == [0, 1, 1, 2, 2, 3, 3]
    assert one.survival(np.array([0.0, np.log(2)])) == pytest.approx(np.exp([-0.5, -1.0]))
    assert one.at(np.array([True, False])) is one  # one model: the same for all records
    two = Reference(np.array([1.0]), np.array([0.5, 1.0]), np.array([1.0, 2.0]), np.array([[-1, 0, 1.0], [1, 2, 3.0]]))
    assert two.groups(np.array([0.5, 0.5])).tolist() == [2, 0]
    assert two.survival(np.zeros(2)) == pytest.approx(np.exp([-0.5, -1.0]))
    second = two.at(np.array([False, True]))
    assert (second.hazard.tolist(), second.scale.tolist(), second.limits.tolist()) == ([1.0], [2.0], [[1, 2, 3]])


def followed() -> pd.DataFrame:
    """Two models' risks of the same patients; the second's are twice the first's, and one larger."""
    rng = np.random.default_rng(1)
    risk = rng.normal(0, 0.7, 400)
    time, censored = rng.exponential(10 * np.exp(-risk)), rng.uniform(2, 12, 400)
    table = pd.DataFrame({
        "patient_id": np.arange(400).astype(str), "time.x": np.minimum(time, censored),
        "event.x": (time <= censored) * 1.0, "risk.x": risk,
        "slope.x": 1.1,
    })  # fmt: skip
    half = np.arange(400) < 200
    other = table.assign(**{"risk.x": 2 * risk + 1, "slope.x": 0.55})
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
        slope = (1.1, 0.55)[fold]
        np.testing.assert_array_equal(reference.slope[rows], slope)
        hazard = hazard_at(*breslow(own["time.x"], own["event.x"], slope * own["risk.x"]), reference.times[1:2])[0]
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


def test_a_table_without_a_slope_is_of_a_model_that_has_none() -> None:
    data, _ = read_outcome(followed().drop(columns="slope.x"), "survival", ["x"], EvaluateConfig(bootstrap=20))
    np.testing.assert_array_equal(data.references[0].slope, 1.0)


def test_a_survival_model_without_an_event_in_its_validation_fold() -> None:
    table = followed()
    table.loc[(table["split"] == "valid") & (table["fold"] == 1), "event.x"] = 0.0
    data, _ = read_outcome(table, "survival", ["x"], EvaluateConfig(bootstrap=20))
    assert data.references == [None]
