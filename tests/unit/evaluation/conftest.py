"""A results folder as the stages would leave it, with numbers known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, EvaluateConfig
from ecglfm.evaluation.evaluate import majority_of, measure
from ecglfm.evaluation.prediction import predictions_on_test
from ecglfm.provenance import write_array, write_json, write_parquet, write_text
from ecglfm.records import data_hash, ledger_frame

RATE, SECONDS = 100, 10
LABELS = ("NORM", "MI")
THRESHOLDS = (0.5, 0.25)
#: A label that the task lists and the table does not have.
LEFT_OUT = {"HYP": "has no positive among 40 training records"}


def beats_uv(seconds: int = SECONDS, rate: int = RATE) -> np.ndarray:
    """A beat a second on 12 leads, int16 microvolts: R waves of 1 mV in lead I, less in each lead after it."""
    time = np.arange(seconds * rate) / rate
    beat = np.exp(-0.5 * ((time % 1 - 0.5) / 0.02) ** 2)
    return np.rint(1000 * beat[:, None] * np.linspace(1, 0.2, 12)).astype(np.int16)


def make_records() -> pd.DataFrame:
    """60 records of 50 patients in source `alpha`: 40 train, 8 valid, 12 test."""
    count = 60
    patients = [f"alpha/p{min(i, 49):02d}" for i in range(count)]
    return pd.DataFrame(
        {
            "record_id": [f"alpha/{i:03d}" for i in range(count)],
            "source": "alpha",
            "patient_id": patients,
            "split": ["train"] * 40 + ["valid"] * 8 + ["test"] * 12,
            "age": 60.0,
            "sex": ["female", "male"] * (count // 2),
            "sampling_rate": RATE,
            "n_samples": RATE * SECONDS,
            "shard": 0,
            "offset": np.arange(count) * RATE * SECONDS,
            "sha256": [f"{i:064x}" for i in range(count)],
            "flags": [""] * 59 + ["flat_leads"],
        }
    )


def make_predictions(records: pd.DataFrame) -> pd.DataFrame:
    """NORM is ranked perfectly (AUROC 1), MI at 8 of 9 pairs per positive's worth: see the test of the report."""
    rows = records[records["split"] != "train"].reset_index(drop=True)
    table = rows[["record_id", "patient_id", "split"]].copy()
    norm = (np.arange(len(rows)) % 2).astype(np.float32)
    table["target.NORM"], table["probability.NORM"] = norm, (0.1 + 0.8 * norm).astype(np.float32)
    target = np.zeros(len(rows), np.float32)
    probability = np.linspace(0.1, 0.2, len(rows)).astype(np.float32)
    target[-3:] = 1  # three positives in test, two above every negative, one below every negative
    probability[-3:] = 0.9, 0.8, 0.05
    table["target.MI"], table["probability.MI"] = target, probability
    for name, threshold in zip(LABELS, THRESHOLDS, strict=True):
        table[f"threshold.{name}"] = threshold
    return table


def write_results(root: Path) -> Path:
    records = make_records()
    write_parquet(root / "manifest/records.parquet", records)
    row = {"source": "alpha", "stage": "ingest", "action": "dropped"}
    ledger = [
        row | {"record_id": "alpha/900", "reason": "signal_truncated", "detail": "holds 10 of 1000 samples <b>"},
        row | {"record_id": "alpha/901", "reason": "signal_truncated", "detail": "holds 20 of 1000 samples"},
        row | {"record_id": "alpha/059", "stage": "preprocess", "action": "flagged", "reason": "flat_leads", "detail": "V6"},
    ]  # fmt: skip
    write_parquet(root / "manifest/ledger.parquet", ledger_frame(ledger))
    pairs = [{"a": "alpha/001", "b": "alpha/002", "correlation": 0.9987, "crosses": False}]
    audit = {"passed": True, "patient_overlap": [], "duplicate_pairs": pairs, "data_hash": data_hash(records)}
    write_json(root / "manifest/audit.json", audit)
    write_array(root / "preprocess/alpha/000.npy", np.tile(beats_uv(), (len(records), 1)))

    predictions = make_predictions(records)
    labels = records[["record_id", "patient_id", "source", "split"]].copy()
    for name in LABELS:
        known = predictions.set_index("record_id")[f"target.{name}"]
        labels[f"label.{name}"] = labels["record_id"].map(known).fillna(0.0).astype(np.float32)
    labels.loc[0, "label.MI"] = np.nan
    write_parquet(root / "labels/super.parquet", labels)
    write_parquet(root / "labels/super.ledger.parquet", ledger_frame([]))
    seen = data_hash(records[records["split"] != "test"])
    info = {
        "format": "ecglfm-encoder", "name": "tiny", "weights": "pretrain", "leads": list(LEADS), "crop_seconds": 5.0,
        "sampling_rate": RATE, "model": {"kind": "conformer", "layers": 2, "dim": 64}, "training": {"steps": 200},
        "code": {"version": "0.1.0", "commit": "abc"}, "config_hash": "c" * 64, "data_hash": seen,
    }  # fmt: skip
    write_json(root / "pretrain/tiny/encoder.json", info)
    steps = np.arange(10, 201, 10)
    history = "step,split,loss,contrastive,code_perplexity,lr\n"
    for step in steps:
        history += f"{step},train,{4 + 100 / step:.4f},{3 + 60 / step:.4f},{step / 10:.2f},0.001\n"
        if step % 100 == 0:
            history += f"{step},valid,{4.5 + 100 / step:.4f},{3.5 + 60 / step:.4f},{step / 11:.2f},\n"
    write_text(root / "pretrain/tiny/history.csv", history)
    folder = "tiny/super/full-s0"
    write_json(root / f"finetune/{folder}/model.json", {"encoder": info, "task": "super", "fit": "full-s0"})
    epochs = "".join(f"{e},train,{1 / e:.4f},0.8\n{e},valid,{1.2 / e:.4f},{0.7 + 0.02 * e:.4f}\n" for e in range(1, 9))
    write_text(root / f"finetune/{folder}/history.csv", "epoch,split,loss,auroc\n" + epochs)

    write_parquet(root / f"evaluate/{folder}/predictions.parquet", predictions)
    test = predictions_on_test(predictions, list(LABELS))
    # The three records with MI are of one patient, too few for any config.
    metrics = measure(test, EvaluateConfig(bootstrap=100).model_copy(update={"min_patients": 1}))
    identity = {"encoder": "tiny", "task": "super", "fit": "full-s0"}
    beside = {
        "majority": majority_of(root / "labels/super.parquet", "multilabel", list(LABELS), metrics["macro"], ["alpha"]),
        "left_out": LEFT_OUT,
    }
    write_json(root / f"evaluate/{folder}/metrics.json", metrics | identity | beside)
    for picture in ("curves", "calibration"):
        (root / f"evaluate/{folder}/{picture}.png").write_bytes(b"\x89PNG as evaluate drew it")
    return root


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A complete results folder."""
    return write_results(tmp_path / "results")
