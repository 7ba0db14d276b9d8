"""A cumulative hazard by hand, what is kept of it, and what it says of people whose hazards are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ecglfm.config import UserError
from ecglfm.models.baseline_hazard import (
    EVENTS,
    SLOPES,
    STEPS,
    fit_baseline,
    fit_baselines,
    fit_slope,
    shared_horizons,
)
from ecglfm.models.bundle import load_model, save_model
from ecglfm.models.heads import ECGModel
from tests.unit.evaluation.metrics.test_hazards import GOLDEN
from tests.unit.models.saved_encoder import make_encoder

#: Two die at 2; hazards are 2, 1, 1, 1, 1 times the baseline.
TIME, EVENT, RISK = np.array([1, 2, 2, 3, 4.0]), np.array([1, 1, 1, 0, 1.0]), np.log([2, 1, 1, 1, 1.0])


def test_by_hand():
    # 1 event among hazards of 6, 2 among 4, 1 among the 1 that is left
    found = fit_baseline(TIME, EVENT, RISK)
    assert found.times == (1, 2, 4)
    assert found.hazard == pytest.approx([1 / 6, 1 / 6 + 2 / 4, 1 / 6 + 2 / 4 + 1])
    assert (found.until, found.horizons) == (4, (1.75, 2, 2.5))  # quartiles of 1, 2, 2, 4
    assert [found.cumulative(at) for at in (0.9, 1, 1.9, 3.9)] == pytest.approx([0, 1 / 6, 1 / 6, 2 / 3])
    # of somebody with twice the hazard 4/3 until 2, of the others 2/3
    assert found.probability(RISK[:2], 2) == pytest.approx([1 - np.exp(-4 / 3), 1 - np.exp(-2 / 3)])
    assert found.scale == pytest.approx(np.std([np.log(2), 0, 0, 0, 0]))


def test_what_is_unknown_has_no_part_and_what_says_nothing_has_none():
    signed = np.array([[1, 2, 2, -3, 4, np.nan], [-1, -2, -2, -3, -4, -9]], dtype=np.float32).T
    risk = np.append(RISK, 99.0)[:, None].repeat(2, axis=1)
    known, censored = fit_baselines(signed, risk)
    assert known.hazard == fit_baseline(TIME, EVENT, RISK).hazard
    assert censored is None
    assert fit_baseline(TIME, EVENT, np.zeros(5)) is None  # one risk for all
    with np.errstate(over="ignore"):
        assert fit_baseline(TIME, EVENT, RISK * 2000) is None  # no number is as large as such a hazard


def test_many_steps_are_thinned_and_say_the_planted_risk():
    rng = np.random.default_rng(0)
    risk = rng.normal(0, 1, 20_000)
    time, censored = rng.exponential(10 * np.exp(-risk)), rng.uniform(0, 30, len(risk))
    found = fit_baseline(np.minimum(time, censored), time <= censored, risk)
    assert len(found.times) == len(found.hazard) == STEPS
    assert found.times[-1] == np.minimum(time, censored)[time <= censored].max()
    said = found.probability(np.array([-1.0, 0.0, 1.0]), 5.0)
    assert said == pytest.approx(1 - np.exp(-0.5 * np.exp([-1.0, 0.0, 1.0])), abs=0.01)


@pytest.mark.parametrize("stretched", [1.0, 2.0, 0.4])
def test_risks_that_are_too_far_apart_or_too_close_are_mended(stretched: float):
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 1, 5000)
    time, censored = rng.exponential(10 * np.exp(-truth)), rng.uniform(0, 30, len(truth))
    found = fit_baseline(np.minimum(time, censored), time <= censored, stretched * truth)
    assert found.slope == pytest.approx(1 / stretched, rel=0.05)
    said = found.probability(stretched * np.array([-1.0, 0.0, 1.0]), 5.0)
    assert said == pytest.approx(1 - np.exp(-0.5 * np.exp([-1.0, 0.0, 1.0])), abs=0.02)
    turned = fit_baseline(np.minimum(time, censored), time <= censored, -truth)
    assert turned.slope == pytest.approx(SLOPES[0], rel=1e-3)  # nearly one risk for all
    few = np.arange(60) < EVENTS - 1
    assert fit_slope(time[:60], few, stretched * truth[:60]) == 1.0
    assert fit_slope(time[:60], np.arange(60) < EVENTS, stretched * truth[:60]) != 1.0


@pytest.mark.parametrize("golden", GOLDEN)
def test_the_slope_is_that_of_scikit_survival(golden: dict):
    """Of Cox's regression on the risk, with ties."""
    time, event, risk = (np.array(golden[key], dtype=float) for key in ("time", "event", "risk"))
    assert fit_slope(time, event, risk) == pytest.approx(np.log(golden["hazard_ratio"]), rel=1e-4)


def test_horizons_of_several_models_are_known_to_all():
    first = fit_baseline(TIME, EVENT, RISK)
    short = fit_baseline(np.minimum(TIME, 2.2), EVENT * (TIME <= 2.2), RISK)
    assert shared_horizons([first, short]) == (1.75, 2)


def saved(folder: Path) -> dict:
    model = ECGModel(make_encoder(), ["HF", "rare"], "full", "survival")
    model.baselines = [fit_baseline(TIME, EVENT, RISK), None]
    save_model(folder, model, {})
    assert load_model(folder).baselines == model.baselines
    return json.loads((folder / "model.json").read_text())


def test_a_model_of_before_has_none(tmp_path: Path):
    content = saved(tmp_path)
    del content["baseline_hazards"]
    (tmp_path / "model.json").write_text(json.dumps(content))
    assert load_model(tmp_path).baselines == []


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda c: c["baseline_hazards"].pop(),
            "`label_names` and `baseline_hazards` must be lists of the same length",
        ),
        (lambda c: c.update(kind="regression", target_mean=[0, 0], target_scale=[1, 1]), "has no `baseline_hazards`"),
        (lambda c: c["baseline_hazards"][0]["times"].reverse(), "`times` must rise"),
        (lambda c: c["baseline_hazards"][0]["hazard"].pop(), "`times` and `hazard` must be lists of the same length"),
        (lambda c: c["baseline_hazards"][0].update(until=3.0), "there is a time beyond `until`, 3"),
        (lambda c: c["baseline_hazards"][0].update(scale=0), "baseline_hazards.0.scale"),
    ],
)
def test_what_was_edited_wrongly_is_one_line(tmp_path: Path, edit, message: str):
    content = saved(tmp_path)
    edit(content)
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message) as error:
        load_model(tmp_path)
    assert str(error.value).count("\n") == 0
