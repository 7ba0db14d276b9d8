"""What each objective makes of synthetic recordings is worth more than random weights to a linear probe.

On patients that no training saw, by the lower end of the paired interval over patients; the encoder is one of seconds. Of
presets `ecglfm benchmark pretraining --encoder NAME` says the same. `masked_codes` has it on the demo's data, in
`tests/integration/test_demo.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ecglfm.benchmark.pretraining import pretraining
from ecglfm.config import EncoderSlice, Project, read_yaml
from ecglfm.data.samples import Signals
from ecglfm.evaluation.metrics import Predictions, paired_bootstrap
from ecglfm.models.bundle import load_encoder
from ecglfm.training.inference import aggregate_by_record
from ecglfm.training.pretraining import run_pretrain, write_untrained
from ecglfm.training.vectors import embed_windows

RATE, CROP = 100, 5.0  # Hz, seconds
MODEL = {"kind": "vit", "layers": 2, "dim": 32, "ffn_dim": 64, "heads": 2, "patch": 10, "tokens": "leads",
         "qkv_bias": False, "dropout": 0.0, "normalize": "record"}  # fmt: skip
#: Of `cpc`. A frame has read 0.4 s by several convolutions, so it can tell a wave's shape: those of a single one are told
#: apart by the drift of the baseline, which is easily foretold and no diagnosis (docs/pretraining.md).
CAUSAL = {"kind": "s4", "layers": 2, "dim": 32, "conv_layers": [[5, 2], [3, 1], [5, 2], [3, 1], [5, 2]], "dropout": 0.0}
#: Of each objective what it is told, and how it is trained.
TRAININGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cpc": ({"ahead": [8], "anchors": 64, "negatives": 32}, {"steps": 200, "lr": 4.0e-3}),
    "jepa": (
        {"hidden": {"share": 0.5, "length": 5}, "predictor": {"dim": 32, "layers": 1}, "momentum": [0.97, 0.99, 200]},
        {"steps": 200, "lr": 4.0e-3},
    ),
    "mae": ({"hidden": {"share": 0.5, "length": 1}, "decoder": {"dim": 32, "layers": 2}}, {"steps": 400, "lr": 4.0e-3}),
    "report_alignment": ({"dim": 64}, {"steps": 150, "lr": 3.0e-3}),
    "statistics": ({}, {"steps": 150, "lr": 4.0e-3}),
}


@pytest.fixture(scope="module")
def recordings(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two synthetic databases of 150 patients each, as the workflow prepares them; half are kept for the probe.

    Easier ones than the demo's, in which trainings of seconds find something.
    """
    folder = tmp_path_factory.mktemp("synthetic")
    easier = {
        name: read_yaml(repository / f"config/sources/{name}.yaml") | {"difficulty": 0.5}
        for name in ("demo-ptbxl", "demo-mimic")
    }
    content = {
        "results": str(folder), "sources": list(easier), "define": {"sources": easier}, "tasks": ["diagnosis"],
        "encoders": ["tiny"],
        "preprocess": {"sampling_rate": RATE}, "manifest": {"valid_fraction": 0.02, "test_fraction": 0.5},
    }  # fmt: skip
    pretraining._prepare(Project(content, repository / "config"), folder, 150)
    return folder


def slice_of(config: dict[str, Any]) -> EncoderSlice:
    return EncoderSlice.model_validate({"encoder": "small", "config": config, "preprocess": {"sampling_rate": RATE}})


def probe(encoder: Path, folder: Path) -> Predictions:
    """What logistic regression on the vectors of the training patients' recordings says of the test patients'."""
    records = pd.read_parquet(folder / "manifest/records.parquet")
    labels = pd.read_parquet(folder / "diagnosis.parquet").filter(regex="record_id|^label")
    records = records.merge(labels, on="record_id")
    signals, loaded = Signals(records, folder / "preprocess"), load_encoder(encoder)
    windows = signals.windows(loaded.crop_samples)
    vectors = aggregate_by_record(windows["row"].to_numpy(), embed_windows(loaded, signals, windows))
    target = records.filter(like="label.").to_numpy(float)
    train, test = ((records["split"] == split).to_numpy() for split in ("train", "test"))
    said = [
        make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        .fit(vectors[train], present[train])
        .predict_proba(vectors[test])[:, 1]
        for present in target.T
    ]
    names = [name.removeprefix("label.") for name in records.filter(like="label.")]
    said_nk = np.stack(said, axis=1)
    return Predictions(names, target[test], said_nk, said_nk, records.loc[test, "patient_id"].to_numpy(str))


def worth(recordings: Path, folder: Path, kind: str, seed: int = 0) -> dict[str, Any]:
    """What a probe of the trained encoder has more than one of its random start."""
    objective, training = TRAININGS[kind]
    usual = {"batch_size": 8, "crop_seconds": CROP, "schedule": {"warmup": 10}, "lead_mask_probability": 0.0}
    pretrain = {"objective": {"kind": kind} | objective, "seed": seed} | usual | training
    model = CAUSAL if kind == "cpc" else MODEL
    write_untrained(slice_of({"model": model, "weights": "random", "seed": seed}), folder / "random", CROP)
    run_pretrain(
        slice_of({"model": model, "weights": "pretrain", "pretrain": pretrain}), output=folder / "trained", threads=1,
        manifest=recordings / "manifest/records.parquet", signals=recordings / "preprocess",
    )  # fmt: skip
    arms = [probe(folder / arm, recordings) for arm in ("trained", "random")]
    return paired_bootstrap(*arms, resamples=500, confidence=0.95, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRAININGS)
def test_it_is_worth_more_than_random_weights(recordings: Path, tmp_path: Path, kind: str) -> None:
    found = worth(recordings, tmp_path, kind)
    assert found["ci_low"] > 0, found
