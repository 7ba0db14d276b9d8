"""Every kind of task through the real workflow, two encoders side by side, and with fewer patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, make_small

pytestmark = pytest.mark.slow

PATIENTS = 120
TASKS = {
    "ectopy": {"kind": "binary", "labels": {"PVC": {"ptbxl": {"scp": ["PVC"]}}}},
    "rhythm": {
        "kind": "multiclass",
        "labels": {name: {"ptbxl": {"scp": [name]}} for name in ("SR", "SBRAD", "SVTAC")},
    },
    "years": {"kind": "regression", "labels": {"age": {"ptbxl": {"value": "age"}}}},
    "outcome": {
        "kind": "survival",
        "labels": {
            "death": {"ptbxl": {"file": {"path": "followup.csv", "by": "patient_id"}, "time": "years", "event": "died"}}
        },
    },
}
CONVNET = {
    "model": {"kind": "convnet", "dim": 16, "blocks": [1, 1], "stem": [8, 8, 16], "downsample": 5},
    "weights": "random",
}


@pytest.fixture(scope="module")
def evaluated(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """An encoder with random weights on a task of each kind; the outcomes are in a CSV of the user's own."""
    clone = make_small(repository, tmp_path_factory.mktemp("kinds") / "clone")
    clone.edit("config/sources/demo-ptbxl.yaml", patients=PATIENTS)
    for task, content in TASKS.items():
        clone.edit(f"config/tasks/{task}.yaml", sources=["demo-ptbxl"], **content)
    followup = [f"demo-ptbxl/{number},{1 + number / 10},{number % 3 % 2}" for number in range(1, PATIENTS + 1)]
    (clone.root / "config/followup.csv").write_text("\n".join(["patient_id,years,died", *followup]))
    clone.edit("config/encoders/convnet.yaml", **CONVNET)
    efficiency = {"fractions": [0.5, 1.0], "seeds": [0]}
    few = {"min_patients": 2}  # of so few patients every label would be `too few`
    clone.edit("config/config.yaml", finetune={"label_efficiency": efficiency}, evaluate=few)
    clone.edit("config/config.yaml", encoders=["random-tiny"], tasks=[*TASKS, "identification"])
    clone.snakemake()
    return clone


def measured(clone: Clone, task: str) -> tuple[dict, pd.DataFrame]:
    """Metrics of a task, and its predictions of the test split."""
    folder = clone.results / "evaluate/random-tiny" / task / "full-s0"
    table = pd.read_parquet(folder / "predictions.parquet")
    return read_json(folder / "metrics.json"), table[table["split"] == "test"]


def test_classes(evaluated: Clone) -> None:
    metrics, test = measured(evaluated, "rhythm")
    target = test[["target.SR", "target.SBRAD", "target.SVTAC"]].to_numpy()
    probability = test[["probability.SR", "probability.SBRAD", "probability.SVTAC"]].to_numpy()
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
    assert (target.sum(axis=1) == 1).all()
    for column, name in enumerate(("SR", "SBRAD", "SVTAC")):
        expected = roc_auc_score(target[:, column], probability[:, column])
        assert metrics["labels"][name]["auroc"]["value"] == pytest.approx(expected, abs=1e-9)
    index = pd.read_parquet(evaluated.results / "index/demo-ptbxl.parquet")
    rhythms = index["codes"].map(lambda codes: len({code["code"] for code in codes} & {"SR", "SBRAD", "SVTAC"}))
    ledger = pd.read_parquet(evaluated.results / "labels/rhythm.ledger.parquet")
    assert set(ledger["record_id"]) == set(index["record_id"][rhythms == 0])
    assert set(ledger["reason"]) == {"no_label"}


def test_numbers(evaluated: Clone) -> None:
    metrics, test = measured(evaluated, "years")
    ages = pd.read_parquet(evaluated.results / "index/demo-ptbxl.parquet").set_index("record_id")["age"]
    np.testing.assert_array_equal(test["target.age"], ages[test["record_id"]])
    error = np.abs(test["prediction.age"] - test["target.age"]).mean()
    assert metrics["labels"]["age"]["mae"]["value"] == pytest.approx(error, rel=1e-6)


def test_outcomes(evaluated: Clone) -> None:
    metrics, test = measured(evaluated, "outcome")
    number = test["patient_id"].str.removeprefix("demo-ptbxl/").astype(int)
    np.testing.assert_allclose(test["time.death"], 1 + number / 10, rtol=1e-6)
    np.testing.assert_array_equal(test["event.death"], number % 3 % 2)
    time, risk, event = (test[f"{name}.death"].to_numpy() for name in ("time", "risk", "event"))
    comparable = (event[:, None] == 1) & (time[:, None] < time)
    agreed = (risk[:, None] > risk) + 0.5 * (risk[:, None] == risk)
    expected = agreed[comparable].mean()
    assert metrics["labels"]["death"]["c_index"]["value"] == pytest.approx(expected, abs=1e-9)


def test_the_report_has_every_kind(evaluated: Clone) -> None:
    page = (evaluated.results / "report/index.html").read_text()
    for task, label, metric in (("ectopy", "PVC", "auroc"), ("years", "age", "mae"), ("outcome", "death", "c_index")):
        assert f"{measured(evaluated, task)[0]['labels'][label][metric]['value']:.3f}" in page


def test_people_are_told_apart(evaluated: Clone) -> None:
    """Every synthetic patient has a heart of his own in all recordings, which random weights let through, too."""
    folder = evaluated.results / "verify/random-tiny/identification"
    found, pairs = read_json(folder / "metrics.json"), pd.read_parquet(folder / "scores.parquet")
    records = pd.read_parquet(evaluated.results / "manifest/records.parquet").set_index("record_id")
    patients = [records["patient_id"][pairs[side]].to_numpy() for side in ("record_a", "record_b")]
    test = records[records["split"] == "test"]
    assert {*pairs["record_a"], *pairs["record_b"]} == set(test.index)
    np.testing.assert_array_equal(pairs["same"], patients[0] == patients[1])
    assert len(pairs) == len(test) * (len(test) - 1) / 2
    assert pairs["same"].sum() == test["patient_id"].nunique()  # two recordings each
    area = found["overall"]["auroc"]
    assert area["value"] == pytest.approx(roc_auc_score(pairs["same"], pairs["score"]), abs=1e-9)
    assert area["ci_low"] > 0.5
    assert f"{found['overall']['eer']['value']:.3f}" in (evaluated.results / "report/index.html").read_text()


def test_a_verification_trains_nothing(evaluated: Clone) -> None:
    assert not list(evaluated.results.glob("*/**/identification/full-s0"))
    assert not (evaluated.results / "labels/identification.parquet").exists()
    said = evaluated.snakemake("finetune_all", "--config", "tasks=[identification]", check=False)
    assert "--config's `tasks` names none of that kind: name some of config/tasks/*.yaml there" in said
    evaluated.edit("config/tasks/identification.yaml", max_pairs=1000)
    assert evaluated.planned() == {"verify_encoder": 1, "report": 1}


def test_two_encoders_are_compared(evaluated: Clone) -> None:
    few = "evaluate={min_patients: 4}"  # so many in test have PVC
    evaluated.snakemake("compare_all", "--config", "encoders=[random-tiny, convnet]", "tasks=[ectopy]", few)
    content = read_json(evaluated.results / "evaluate/comparison/ectopy.json")
    assert [model["encoder"] for model in content["models"]] == ["random-tiny", "convnet"]
    areas = []
    for encoder in ("random-tiny", "convnet"):
        table = pd.read_parquet(evaluated.results / "evaluate" / encoder / "ectopy/full-s0/predictions.parquet")
        test = table[table["split"] == "test"]
        areas.append(roc_auc_score(test["target.PVC"], test["probability.PVC"]))
    (pair,) = content["pairs"]
    assert pair["labels"]["PVC"]["value"] == pytest.approx(areas[0] - areas[1], abs=1e-9)
    page = (evaluated.results / "evaluate/comparison/index.html").read_text()
    assert f'<td class="n">{areas[0]:.3f}</td><td class="n">{areas[1]:.3f}</td>' in page
    assert 'random-tiny <span class="quiet">random weights</span>' in page
    assert page.count('/card.html">full-s0</a>') == 2  # made before the page that leads to them


def test_fewer_patients(evaluated: Clone) -> None:
    evaluated.snakemake("label_efficiency", "--config", "tasks=[ectopy]")
    table = pd.read_csv(evaluated.results / "evaluate/label_efficiency.csv")
    assert sorted(table["percent"]) == [50, 100]
    whole = table[table["percent"] == 100]["value"].item()
    assert whole == pytest.approx(measured(evaluated, "ectopy")[0]["macro"]["auroc"]["value"], abs=1e-9)
    evaluated.snakemake("label_efficiency", "--config", "tasks=[ectopy]", "--report", "report.html")
    caption = (evaluated.root / "workflow/report/label_efficiency.rst").read_text()
    assert caption[:30] in (evaluated.root / "report.html").read_text()
