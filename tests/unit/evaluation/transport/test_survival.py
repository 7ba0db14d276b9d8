"""A survival model elsewhere: planted hazards are told, sums by hand, and what it does not know has a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm.config import EvaluateConfig, FinetuneConfig, TransportConfig, TransportSlice, UserError
from ecglfm.evaluation.transport import run_transport
from ecglfm.evaluation.transport.survival import (
    Followed,
    judge_survival,
    log_ratio,
    recalibrate,
    reference_of,
    seen_and_expected,
)
from ecglfm.models import bundle
from ecglfm.models.baseline_hazard import BaselineHazard
from ecglfm.models.heads import ECGModel
from ecglfm.models.outputs import link_of
from ecglfm.provenance import read_json, write_json, write_parquet
from tests.unit.evaluation.transport.test_transport import AMPLITUDE, COUNT, Amplitude, cohort, slice_of, words

__all__ = ["cohort"]

#: A model that says a hazard of 0.1 a year for everybody whose risk is 0.
GRID = tuple(np.linspace(0.02, 10, 500).round(3).tolist())
YEARLY = BaselineHazard(GRID, tuple(0.1 * at for at in GRID), 10.0, (2.0, 5.0, 8.0), 1.0, (-0.67, 0.0, 0.67))


def slice_(local: list[int], **evaluate: object) -> TransportSlice:
    return TransportSlice(
        model="m", sha256=None, transport=TransportConfig(local=local),
        evaluate=EvaluateConfig(**{"bootstrap": 100} | evaluate), finetune=FinetuneConfig(),
    )  # fmt: skip


def followed(times: float, slope: float, *, count: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Patients whose hazard a year is 0.1 `times` exp(`slope` risk); lost at any time up to 12 years."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(0, 1, count)
    time, lost = rng.exponential(10 / times * np.exp(-slope * risk)), rng.uniform(0, 12, count)
    return pd.DataFrame({
        "patient_id": np.arange(count).astype(str), "time.x": np.minimum(time, lost), "event.x": (time <= lost) * 1.0,
        "risk.x": risk,
    })  # fmt: skip


def test_events_seen_and_expected_by_hand():
    baseline = BaselineHazard((1.0, 2.0), (0.1, 0.3), 4.0, (1.0,), 1.0, (0.0, 0.0, 0.0))
    time, event, risk = np.array([1.5, 5.0, 0.5]), np.array([1.0, 1, 0]), np.log([1, 2, 3.0])
    seen, expected = seen_and_expected(baseline, time, event, risk)
    assert seen.tolist() == [True, False, False]  # at 5 the model's own patients had been lost
    assert expected == pytest.approx([0.1, 0.6, 0])
    weight_nr = np.array([[1, 2, 0], [1, 1, 1], [1, 1, 1.0]])
    found = log_ratio(seen, expected, weight_nr)
    assert found[:2] == pytest.approx([np.log(1 / 0.7), np.log(2 / 0.8)])
    assert np.isnan(found[2])


@pytest.mark.parametrize(("times", "slope"), [(1.0, 1.0), (2.0, 1.0), (1.0, 0.5)])
def test_a_planted_hazard_is_told_and_mended_by_local_records(times: float, slope: float):
    table = followed(times, slope)
    judged = judge_survival(table, ["x"], [YEARLY], slice_([1000]))
    as_is, local = judged.content["ways"]
    assert (as_is["name"], local["name"], local["n"]["patients"]) == ("as_is", "local_1000", 1000)
    assert judged.local.sum() == 1000
    before, after = (way["labels"]["x"]["metrics"] for way in (as_is, local))
    assert before["slope"]["ci_low"] < slope < before["slope"]["ci_high"]
    assert before["slope"]["ci_high"] - before["slope"]["ci_low"] < 0.3
    if slope == 1:
        assert before["intercept"]["ci_low"] < np.log(times) < before["intercept"]["ci_high"]
        assert local["labels"]["x"]["adapted"]["intercept"] == pytest.approx(np.log(times), abs=0.12)
    assert local["labels"]["x"]["adapted"]["slope"] == pytest.approx(slope, abs=0.12)
    assert local["labels"]["x"]["adapted"]["fitted"] == "intercept and slope"
    assert after["intercept"]["value"] == pytest.approx(0, abs=0.12)
    fitted = local["labels"]["x"]["adapted"]["slope"]
    assert after["slope"]["value"] == pytest.approx(before["slope"]["value"] / fitted, rel=1e-6)
    assert after["slope"]["ci_low"] is None
    assert after["c_index"] == before["c_index"]
    assert after["ece"]["value"] < 0.03
    assert (before["ece"]["value"] > 0.05) == ((times, slope) != (1.0, 1.0))
    assert as_is["labels"]["x"]["survival_times"] == [2, 5, 8]
    for group in local["labels"]["x"]["risk_groups"]:
        assert group["predicted"] == pytest.approx(group["observed"], abs=0.06)
    # as evaluate says them: of the same records, predicted survival at 5 years
    kept = table[~judged.local]
    lowest = kept[kept["risk.x"] < -0.67]
    said = as_is["labels"]["x"]["risk_groups"][0]
    assert (said["records"], said["events"]) == (len(lowest), int(lowest["event.x"].sum()))
    assert said["predicted"] == pytest.approx(np.exp(-0.5 * np.exp(lowest["risk.x"])).mean())


def test_the_slope_that_the_model_keeps_is_used():
    table = followed(1.0, 1.0, count=500)
    plain = judge_survival(table, ["x"], [YEARLY], slice_([100]))
    halved = replace(YEARLY, slope=0.5, scale=2.0, limits=tuple(2 * limit for limit in YEARLY.limits))
    doubled = judge_survival(table.assign(**{"risk.x": 2 * table["risk.x"]}), ["x"], [halved], slice_([100]))
    assert doubled.content == plain.content


def test_few_local_events_move_the_intercept_alone_and_none_nothing():
    table = followed(1.0, 1.0, count=40)
    data = Followed.told(
        ["x"], [table[["time.x"]].to_numpy(), table[["event.x"]].to_numpy()], table[["risk.x"]].to_numpy(),
        table["patient_id"].to_numpy(dtype=str),
    )  # fmt: skip
    events = int(table["event.x"].sum())
    found, about = recalibrate(data, 0, YEARLY, min_patients=events + 1)
    assert (found.slope, found.fitted, about["event_patients"]) == (1.0, "intercept", events)
    seen, expected = seen_and_expected(YEARLY, *(table[f"{what}.x"].to_numpy() for what in ("time", "event", "risk")))
    assert found.intercept == pytest.approx(np.log(seen.sum() / expected.sum()))
    nobody = replace(data, events=0 * data.events)
    found, about = recalibrate(nobody, 0, YEARLY, min_patients=5)
    assert (found.fitted, about["reason"]) == ("nothing", "no local patient has the event")


def test_times_are_those_until_which_somebody_was_followed_here_and_there():
    time = np.array([1.0, 6.0])
    assert reference_of(YEARLY, time, []).times.tolist() == [2, 5]
    assert reference_of(YEARLY, time, []).horizon == 5
    assert reference_of(YEARLY, time, [3, 1, 9]).times.tolist() == [1, 3]
    assert reference_of(YEARLY, time, [3]).hazard == pytest.approx(0.3)
    assert reference_of(YEARLY, np.array([40.0]), [11, 20]) is None
    assert reference_of(YEARLY, np.array([1.0]), []) is None
    assert reference_of(None, time, []) is None


def test_a_model_without_a_hazard_ranks_and_says_why_it_says_no_more():
    judged = judge_survival(followed(1.0, 1.0, count=300), ["x"], [None], slice_([100]))
    as_is, local = (way["labels"]["x"] for way in judged.content["ways"])
    assert as_is["metrics"]["c_index"]["value"] > 0.65
    for metric in ("ece", "brier", "intercept"):
        assert as_is["metrics"][metric]["value"] is None
        assert "keeps no baseline hazard" in as_is["metrics"][metric]["reason"]
    assert as_is["metrics"]["slope"]["value"] == pytest.approx(1, abs=0.4)
    assert (local["adapted"]["fitted"], as_is["risk_groups"]) == ("nothing", [])


class Risky(Amplitude):
    """Says the amplitude less 1 as log hazard ratio of `HIGH`, and no label that the task has not."""

    def __init__(self) -> None:
        super().__init__()
        self.kind, self.link, self.thresholds, self.outputs = "survival", link_of("survival"), [], torch.clone
        self.baselines = [YEARLY, None, YEARLY]

    slopes = ECGModel.slopes


@pytest.fixture
def clinic(cohort: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The cohort with times to an event whose hazard is twice what the model says."""
    monkeypatch.setattr(bundle, "load_model", lambda path: Risky())
    rng = np.random.default_rng(2)
    time, lost = rng.exponential(5 * np.exp(1 - AMPLITUDE)), rng.uniform(0, 12, COUNT)
    labels = pd.read_parquet(cohort["labels"]).sort_values("record_id", ignore_index=True)
    labels = labels.drop(columns=["label.HIGH", "label.LOW"])
    labels["time.HIGH"], labels["event.HIGH"] = np.minimum(time, lost), (time <= lost) * 1.0
    write_parquet(cohort["labels"], labels)
    model = Path(cohort["output"]).parent / "model/model.json"
    write_json(model, read_json(model) | {"kind": "survival"})
    return cohort


def test_a_page_for_survival(clinic: dict[str, Any]):
    metrics = run_transport(slice_of(clinic), **clinic)
    assert read_json(clinic["output"] / "metrics.json") == metrics
    assert (metrics["kind"], metrics["label_names"], metrics["not_measured"]) == ("survival", ["HIGH"], ["LOW", "ELSE"])
    first = metrics["ways"][0]["labels"]["HIGH"]["metrics"]
    assert first["intercept"]["ci_low"] < np.log(2) < first["intercept"]["ci_high"]
    table = pd.read_parquet(clinic["output"] / "predictions.parquet")
    assert table["split"].value_counts().to_dict() == {"test": COUNT - 100, "local": 100}
    seen = words(clinic["output"] / "index.html")
    for text in (
        "ruler, amplitude, full-s0 on alpha",
        "Not measured, because the task amplitude knows nothing of it: LOW, ELSE.",
        "times 2, 5, 8; calibration at 5",
        "Said: the event until 5",
        "100 local records of 50 patients",
        "intercept and slope fitted",
    ):
        assert text in seen, text
    for text in ("Threshold", "Prevalence"):
        assert text not in seen
    assert (clinic["output"] / "calibration.png").stat().st_size > 1000


def test_a_task_of_classes_has_none_of_its_labels(clinic: dict[str, Any]):
    labels = pd.read_parquet(clinic["labels"]).rename(columns={"time.HIGH": "label.HIGH"}).drop(columns="event.HIGH")
    write_parquet(clinic["labels"], labels)
    with pytest.raises(UserError, match="has none of the labels that the model predicts: HIGH, LOW, ELSE"):
        run_transport(slice_of(clinic), **clinic)
