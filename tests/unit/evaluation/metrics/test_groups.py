"""Subgroups: who is in which, numbers that are those of the group alone, and no number where there are few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.metrics.groups import group_names, subgroups
from ecglfm.provenance import write_parquet


def test_who_is_in_which_group(tmp_path: Path) -> None:
    records = pd.DataFrame({
        "record_id": list("abcdef"), "source": ["s", "s", "s", "t", "t", "t"],
        "sex": ["female", "male", None, "male", "male", "female"],
        "age": [17.9, 18, 59, 60, 300, None], "flags": ["", "flat_leads", "", None, "", "lead_off"],
    })  # fmt: skip
    write_parquet(
        tmp_path / "s.parquet", pd.DataFrame({"record_id": list("abx"), "native.device": ["CS-12 ", None, "z"]})
    )
    write_parquet(tmp_path / "t.parquet", pd.DataFrame({"record_id": list("def")}))
    groups = {
        name: list(of) for name, of in group_names(records, [tmp_path / "s.parquet", tmp_path / "t.parquet"]).items()
    }
    assert groups == {
        "sex": ["female", "male", "unknown", "male", "male", "female"],
        "age": ["0-17", "18-39", "40-59", "60-79", "unknown", "unknown"],
        "source": ["s", "s", "s", "t", "t", "t"],
        "device": ["CS-12", *["unknown"] * 5],
        "quality": ["clean", "flagged", "clean", "clean", "clean", "flagged"],
    }
    assert set(group_names(records[["record_id", "source"]])) == {"source"}


@pytest.fixture(scope="module")
def measured() -> tuple[pd.DataFrame, pd.Series, dict]:
    """120 patients: the model knows label `x` of the women, and has nothing to say of the men; `y` is rare in men."""
    rng = np.random.default_rng(0)
    sex = pd.Series(np.repeat(["female", "male", "unknown", "female"], [60, 40, 10, 10]))
    target = rng.permuted(np.arange(120) % 2).astype(float)
    other = np.where(sex == "male", np.arange(120) < 63, rng.random(120) < 0.5).astype(float)
    said = np.where(sex == "female", 0.8 * target + 0.1, rng.random(120))
    table = pd.DataFrame({
        "record_id": [f"{i:03d}" for i in range(120)], "patient_id": [f"{i:03d}" for i in range(120)],
        "split": ["test"] * 110 + ["valid"] * 10, "target.x": target, "probability.x": said,
        "target.y": other, "probability.y": rng.random(120), "threshold.x": 0.5, "threshold.y": 0.5,
    })  # fmt: skip
    found = subgroups(table, {"sex": sex}, kind="multilabel", names=["x", "y"], config=EvaluateConfig(bootstrap=50))
    return table, sex, found["sex"]


def test_numbers_are_those_of_the_group_alone(measured) -> None:
    table, sex, found = measured
    assert list(found) == ["female", "male", "unknown"]
    assert found["female"]["n"] == {"records": 60, "patients": 60}  # not the ten of valid
    assert found["female"]["labels"]["x"]["auroc"]["value"] == 1.0
    men = table[sex == "male"]
    entry = found["male"]["labels"]["x"]["auroc"]
    assert entry["value"] == pytest.approx(roc_auc_score(men["target.x"], men["probability.x"]))
    assert entry["ci_low"] < entry["value"] < entry["ci_high"]
    assert set(found["male"]["labels"]["x"]) == {"auroc", "auprc", "sensitivity", "specificity"}


def test_few_patients_have_a_reason_and_no_interval(measured) -> None:
    _, _, found = measured
    rare = found["male"]["labels"]["y"]["auroc"]
    assert (rare["ci_low"], rare["ci_high"]) == (None, None)
    assert rare["reason"] == "too few: 3 positive patients, 5 are wanted"
    assert found["male"]["macro"]["auroc"]["labels"] == ["x"]
    assert found["male"]["macro"]["auroc"]["value"] == found["male"]["labels"]["x"]["auroc"]["value"]
    assert found["unknown"] == {"n": {"records": 10, "patients": 10}, "reason": "fewer than 20 test patients"}
