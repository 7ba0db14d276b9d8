"""Whether a model has met a cohort: by samples under another name, by patient, or not to be known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecglfm.evaluation.transport.acquaintance import acquaintance, home_of
from ecglfm.models.seen import fingerprints, write_seen
from ecglfm.provenance import read_json, write_json, write_parquet
from ecglfm.records import data_hash
from ecglfm.training.finetuning import hash_of_fit

MODEL = "finetune/tiny/af/full-s0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six records of source `a`, two in each split; the model was fitted to four of them, its encoder likewise."""
    records = pd.DataFrame(
        {
            "record_id": [f"a/{i}" for i in range(6)],
            "patient_id": [f"a/p{i}" for i in range(6)],
            "source": "a",
            "split": ["train", "train", "valid", "valid", "test", "test"],
            "sampling_rate": 100,
            "n_samples": 100,
            "sha256": [f"{i:064x}" for i in range(6)],
        }
    )
    labels = records[["record_id", "split"]].assign(**{"label.AF": pd.Series([1, 0, 1, 0, 1, 0], dtype="float32")})
    root = tmp_path / "results"
    write_parquet(root / "manifest/records.parquet", records)
    write_parquet(root / "labels/af.parquet", labels.iloc[::-1])
    seen = records[:4]
    info = {
        "task": "af", "fit": "full-s0", "label_names": ["AF"],
        "data_hash": hash_of_fit(seen, labels[["label.AF"]][:4].to_numpy(), ["AF"]),
        "encoder": {"name": "tiny", "weights": "pretrain", "training": {"sources": ["a"]}, "data_hash": data_hash(seen)},
    }  # fmt: skip
    write_json(root / MODEL / "model.json", info)
    write_json(root / "info.json", info)
    write_json(root / "evaluate/tiny/af/full-s0/metrics.json", {"n": {"records": 2}})
    return root


#: Two recordings that the model learnt from, one under another name, one by another recording of a patient of its own.
COHORT = pd.DataFrame(
    {
        "record_id": ["b/x", "a/9", "b/y", "b/z", "a/4"],
        "patient_id": ["b/p0", "a/p3", "b/p0", "b/p7", "a/p4"],
        "sha256": [f"{i:064x}" for i in (1, 77, 78, 79, 4)],
    }
)


def info_of(root: Path) -> dict[str, Any]:
    return dict(read_json(root / "info.json"))


def found(root: Path, info: dict[str, Any], cohort: pd.DataFrame = COHORT) -> dict[str, Any]:
    return acquaintance(cohort, home_of(root / MODEL, info), info)


def test_samples_and_patients_are_recognised(root: Path) -> None:
    home = home_of(root / MODEL, info_of(root))
    assert home is not None
    assert home.metrics() == {"n": {"records": 2}}
    expected = {"seen": 4, "records": 1, "patients": 2, "reason": ""}  # b/x is a/1; a/9 is of a/p3
    assert found(root, info_of(root)) == {"finetuning": expected, "pretraining": expected, "clean": False}


def test_a_record_prepared_otherwise_is_known_by_its_id(root: Path) -> None:
    again = pd.DataFrame({"record_id": ["a/2"], "patient_id": ["a/other"], "sha256": ["f" * 64]})
    met = found(root, info_of(root), again)["finetuning"]
    assert met["records"] == 1
    assert met["reason"].startswith("by their ids alone, and none by its samples: where these are other people whose")


def test_strangers_are_strangers(root: Path) -> None:
    new = {"seen": 4, "records": 0, "patients": 0, "reason": ""}
    strangers = found(root, info_of(root), COHORT[3:])  # the last was a test record at home
    assert strangers == {"finetuning": new, "pretraining": new, "clean": True}


def test_a_model_that_was_moved_is_unknown(root: Path, tmp_path: Path) -> None:
    info = info_of(root)
    (root / MODEL).rename(tmp_path / "model")
    assert home_of(tmp_path / "model", info) is None
    told = acquaintance(COHORT, None, info)
    assert [told[part]["seen"] for part in ("finetuning", "pretraining")] == [None, None]
    assert "does not lie in the results folder" in told["finetuning"]["reason"]
    assert not told["clean"]


def test_a_model_that_was_moved_knows_what_it_saw_by_the_samples(root: Path, tmp_path: Path) -> None:
    info, folder = info_of(root), tmp_path / "model"
    (root / MODEL).rename(folder)
    saw = fingerprints(f"{i:064x}" for i in range(16, 20))
    cohort = pd.DataFrame({"record_id": ["b/x", "b/y"], "patient_id": ["b/p0", "b/p1"], "sha256": ["1" * 64, "2" * 64]})
    write_seen(folder, {
        "finetuning": (info["data_hash"], fingerprints(["1" * 64, "3" * 64])), "pretraining": (info["encoder"]["data_hash"], saw),
    })  # fmt: skip
    told = acquaintance(cohort, None, info, folder)
    assert [(told[part]["seen"], told[part]["records"], told[part]["patients"]) for part in ("finetuning", "pretraining")] == [
        (2, 1, None), (4, 0, None),
    ]  # fmt: skip
    assert not told["clean"]
    write_seen(folder, {"finetuning": ("of other data", saw)})
    assert acquaintance(cohort, None, info, folder)["finetuning"]["seen"] is None


def test_tables_that_are_not_those_of_the_training_tell_nothing(root: Path) -> None:
    labels = pd.read_parquet(root / "labels/af.parquet")
    write_parquet(root / "labels/af.parquet", labels.assign(**{"label.AF": 1 - labels["label.AF"]}))
    told = found(root, info_of(root))
    assert told["finetuning"]["reason"].startswith("what lies beside the model is not what it was trained on")
    assert told["pretraining"]["seen"] == 4
    write_parquet(root / "manifest/records.parquet", pd.read_parquet(root / "manifest/records.parquet")[:3])
    told = found(root, info_of(root))
    assert told["finetuning"]["seen"] is None
    assert told["pretraining"]["reason"].startswith("pretrained on another manifest")


def test_random_weights_have_met_nobody(root: Path) -> None:
    info = info_of(root)
    info["encoder"]["weights"] = "random"
    assert found(root, info)["pretraining"]["records"] == 0
    info["encoder"]["weights"] = "import"
    assert "made elsewhere" in found(root, info)["pretraining"]["reason"]


def test_what_the_weights_were_before_is_not_forgotten(root: Path, tmp_path: Path) -> None:
    info = info_of(root)
    info["encoder"]["continues"] = {"weights": "import"}
    told = found(root, info, COHORT[3:])
    assert (told["pretraining"]["records"], told["pretraining"]["patients"]) == (0, None)
    assert told["pretraining"]["reason"] == (
        "before that the weights were made elsewhere: what they were trained on is not known here"
    )
    assert told["finetuning"]["patients"] == 0
    assert not told["clean"]
    before, own = fingerprints(["1" * 64]), fingerprints(["3" * 64])
    write_seen(tmp_path, {"pretraining": (info["encoder"]["data_hash"], own), "before": ("theirs", before)})
    cohort = pd.DataFrame({"record_id": ["b/x", "b/y"], "patient_id": ["b/p0", "b/p1"], "sha256": ["1" * 64, "2" * 64]})
    moved = acquaintance(cohort, None, info, tmp_path)["pretraining"]
    assert (moved["seen"], moved["records"]) == (2, 1)
    assert moved["reason"].endswith("; what the weights were trained on before that is not known here")


def test_what_a_survival_model_was_fitted_to_is_known_by_its_times(root: Path) -> None:
    labels = pd.read_parquet(root / "labels/af.parquet").sort_values("record_id", ignore_index=True)
    times = labels.drop(columns="label.AF").assign(**{"time.AF": range(1, 7), "event.AF": [1, 0, 1, 0, 1, 0]})
    write_parquet(root / "labels/af.parquet", times)
    records = pd.read_parquet(root / "manifest/records.parquet")[:4]
    info = info_of(root) | {"kind": "survival"}
    info["data_hash"] = hash_of_fit(records, np.array([[1, -2, 3, -4]], dtype=np.float32).T, ["AF"])
    assert found(root, info)["finetuning"]["records"] == 1
    info["data_hash"] = hash_of_fit(records, np.array([[1, -2, 3, -5]], dtype=np.float32).T, ["AF"])
    assert found(root, info)["finetuning"]["records"] is None
