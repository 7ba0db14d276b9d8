"""A model of which it is known which leads it looks at: one label is in lead I, one in V2, one in V5."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ecglfm.config import LEADS, EvaluateConfig, EvaluateSlice, LeadSetsConfig, PreprocessConfig, UserError
from ecglfm.evaluation.evaluate import run_evaluate
from ecglfm.evaluation.lead_sets import run_lead_sets
from ecglfm.evaluation.lead_sets.lead_sets import compare_sets, sets_of
from ecglfm.evaluation.metrics import compared, outcome_class
from ecglfm.models import bundle
from ecglfm.provenance import read_json, write_array, write_json, write_parquet
from tests.unit.hashes import hashes
from tests.unit.shard_leads import name_leads

SLICE = EvaluateSlice(evaluate=EvaluateConfig(bootstrap=20))
COUNT, TESTED = 120, 80
SEEN = {"LIMB": "I", "SEPTAL": "V2", "LATERAL": "V5"}


class Lookout(nn.Module):
    """The logit of a label is the mean of its lead, in millivolts."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        prepared = PreprocessConfig(sampling_rate=100)
        self.encoder = SimpleNamespace(crop_samples=100, leads=prepared.leads, preprocess=prepared, input=None)
        self.label_names, self.thresholds = list(SEEN), [0.5, 0.5, 0.9]
        self.kind, self.aggregate, self.outputs = "multilabel", "mean", torch.sigmoid

    calibration = conformal = None

    def calibrated(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x.mean(dim=2)[:, [LEADS.index(lead) for lead in SEEN.values()]]


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """80 test records of as many patients, evaluated; V1 to V6 of the last were not recorded."""
    monkeypatch.setattr(bundle, "load_model", lambda path: Lookout())
    rng = np.random.default_rng(0)
    level = rng.normal(0, 1, (COUNT, 12)).clip(-5, 5).round(3)
    level[-1, 6:] = 0
    signal = np.repeat(np.rint(1000 * level).astype(np.int16)[:, None], 100, axis=1)
    write_array(tmp_path / "preprocess/alpha/000.npy", signal.reshape(-1, 12))
    name_leads(tmp_path / "preprocess/alpha/000.npy", LEADS)
    records = pd.DataFrame(
        {
            "record_id": [f"alpha/{i:03d}" for i in range(COUNT)],
            "source": "alpha",
            "patient_id": [f"alpha/p{i}" for i in range(COUNT)],
            "split": ["valid"] * (COUNT - TESTED) + ["test"] * TESTED,
            "sampling_rate": 100,
            "n_samples": 100,
            "shard": 0,
            "offset": np.arange(COUNT) * 100,
            "sha256": hashes(signal),
            "lead_mask": [4095] * (COUNT - 1) + [63],
        }
    )
    write_parquet(tmp_path / "manifest/records.parquet", records)
    labels = records[["record_id", "patient_id", "source", "split"]].copy()
    for label, lead in SEEN.items():
        labels[f"label.{label}"] = (level[:, LEADS.index(lead)] + rng.normal(0, 0.7, COUNT) > 0).astype(np.float32)
    write_parquet(tmp_path / "labels/planted.parquet", labels)
    info = {"encoder": {"name": "lookout"}, "task": "planted", "kind": "multilabel", "fit": "full-s0"}
    write_json(tmp_path / "finetune/model.json", info)
    shared = {
        "labels": tmp_path / "labels/planted.parquet",
        "manifest": tmp_path / "manifest/records.parquet",
        "signals": tmp_path / "preprocess",
    }
    run_evaluate(SLICE, model=tmp_path / "finetune", output=tmp_path / "evaluate", **shared)
    return shared | {
        "model": [tmp_path / "finetune"],
        "predictions": tmp_path / "evaluate/predictions.parquet",
        "output": tmp_path / "lead_sets",
    }


def test_a_label_of_chest_leads_falls_to_chance_at_limb_leads_and_no_other_does(evaluated: dict[str, Any]) -> None:
    found = run_lead_sets(LeadSetsConfig(), SLICE, **evaluated)
    sets = {row["name"]: row for row in found["sets"]}
    assert list(sets) == ["12-leads", "8-leads", "6-leads", "3-leads", "2-leads", "1-lead"]
    area = {name: {label: row["labels"][label]["auroc"]["value"] for label in SEEN} for name, row in sets.items()}
    whole = area["12-leads"]
    assert all(0.8 < value < 0.99 for value in whole.values())
    lost = {name: {label for label, value in own.items() if value == 0.5} for name, own in area.items()}
    assert lost == {
        "12-leads": set(),
        "8-leads": set(),
        "6-leads": {"SEPTAL", "LATERAL"},
        "3-leads": {"LATERAL"},
        "2-leads": {"SEPTAL", "LATERAL"},
        "1-lead": {"SEPTAL", "LATERAL"},
    }
    for name, own in area.items():
        for label, value in own.items():
            assert value == (0.5 if label in lost[name] else whole[label])
            if name != "12-leads":
                change = sets[name]["change"]["labels"][label]
                assert change["value"] == pytest.approx(value - whole[label], abs=1e-11)
                if label in lost[name]:
                    assert change["ci_low"] < change["value"] < change["ci_high"] < 0
                else:
                    assert (change["ci_low"], change["ci_high"]) == (0, 0)
    macro = sets["6-leads"]["change"]["macro"]
    assert macro["value"] == pytest.approx((2 * 0.5 - whole["SEPTAL"] - whole["LATERAL"]) / 3, abs=1e-11)
    assert macro["ci_low"] < macro["value"] < macro["ci_high"] < 0
    assert [row["without_signal"] for row in found["sets"]] == [0] * 6

    # Of all leads nothing is computed anew: to the last digit what `evaluate` said.
    said = read_json(evaluated["predictions"].with_name("metrics.json"))
    written = read_json(evaluated["output"] / "metrics.json")
    assert {key: written["sets"][0][key] for key in ("labels", "macro", "micro")} == {
        key: said[key] for key in ("labels", "macro", "micro")
    }
    # Thresholds stay: at six leads every probability is 1/2, which SEPTAL calls and LATERAL does not.
    at_six = sets["6-leads"]["labels"]
    assert (at_six["SEPTAL"]["sensitivity"]["value"], at_six["LATERAL"]["sensitivity"]["value"]) == (1.0, 0.0)
    table = pd.read_csv(evaluated["output"] / "table.csv", keep_default_na=False).set_index(["set", "label"])
    assert len(table) == 6 * 4
    assert table.loc[("3-leads", "LATERAL"), ["leads", "metric", "value"]].tolist() == ["I II V2", "auroc", 0.5]
    assert (evaluated["output"] / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_recording_that_has_none_of_the_leads_is_counted(evaluated: dict[str, Any]) -> None:
    found = run_lead_sets(LeadSetsConfig(sets={"chest": ["V5", "V1"]}), SLICE, **evaluated)
    assert [(row["name"], row["leads"], row["without_signal"]) for row in found["sets"]] == [
        ("12-leads", list(LEADS), 0),
        ("chest", ["V1", "V5"], 1),
    ]


def test_predictions_of_other_records_are_refused(evaluated: dict[str, Any]) -> None:
    table = pd.read_parquet(evaluated["predictions"])
    write_parquet(evaluated["predictions"], table.iloc[:-1])
    with pytest.raises(UserError, match=r"predictions\.parquet: other test records than .*; run `ecglfm evaluate`"):
        run_lead_sets(LeadSetsConfig(), SLICE, **evaluated)


def test_sets_are_of_the_leads_that_a_model_reads() -> None:
    sets = {"all": list(LEADS), "two": ["II", "I"], "one": ["II"], "three": ["I", "V2", "II"]}
    assert sets_of(sets, LEADS) == {"three": ["I", "II", "V2"], "two": ["I", "II"], "one": ["II"]}
    assert sets_of(sets, ["II", "I"]) == {"one": ["II"]}
    with pytest.raises(UserError, match=r"chest: the model reads none of V1, V2; leave the set out"):
        sets_of({"chest": ["V1", "V2"]}, ["I", "II"])


def test_sets_that_are_the_same_to_a_model_of_limb_leads_are_one_by_the_name_of_the_smallest() -> None:
    found = sets_of(LeadSetsConfig().sets, list(LEADS[:6]))
    assert found == {"2-leads": ["I", "II"], "1-lead": ["I"]}
    assert sets_of(LeadSetsConfig().sets, ["I"]) == {}


def test_an_encoder_with_leads_of_its_own_goes_without_sets_of_others(caplog: pytest.LogCaptureFixture) -> None:
    assert sets_of({"chest": ["V1"], "limb": ["I", "II"]}, ["II", "V2"], own=True) == {"limb": ["II"]}
    assert caplog.messages == [
        "lead_sets.sets: chest: the model reads none of V1, whose `input` has other leads: without this set"
    ]


def test_a_model_of_which_no_set_is_left_has_its_own_row(evaluated: dict[str, Any]) -> None:
    found = run_lead_sets(LeadSetsConfig(sets={"all": list(LEADS)}), SLICE, **evaluated)
    assert [row["name"] for row in found["sets"]] == ["12-leads"]


@pytest.mark.parametrize(
    ("kind", "truth", "less", "change"),
    [
        ("regression", [np.arange(40.0)], 1.0, 1.0),  # told one too much: the mean absolute error is 1, and was 0
        ("survival", [np.arange(40.0, 0, -1), np.ones(40)], "turned", -1.0),  # the order of risks is turned round
    ],
)
def test_every_kind_has_its_change(kind: str, truth: list[np.ndarray], less: float | str, change: float) -> None:
    """Of a regression several metrics have an influence, of which sets are compared by one."""
    said = np.arange(40.0)
    fewer = said[::-1] if less == "turned" else said + float(less)
    columns, patients = [one[:, None] for one in truth], np.array([f"p{i}" for i in range(40)])
    outcomes = {
        name: outcome_class(kind).told(["ef"], columns, output[:, None], patients)
        for name, output in (("12-leads", said), ("1-lead", fewer))
    }
    found = compare_sets(outcomes, compared(kind)[0], SLICE)
    assert found["sets"][1]["change"]["macro"]["value"] == pytest.approx(change)
