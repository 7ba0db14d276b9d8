"""A finished run whose every number is known."""

from __future__ import annotations

from pathlib import Path

import yaml

from ecglfm.config import (
    CardConfig,
    CardSlice,
    EncoderConfig,
    EncoderSlice,
    FinetuneConfig,
    FinetuneSlice,
    ManifestConfig,
    ManifestSlice,
    PreprocessConfig,
    TaskConfig,
    TaskSlice,
)
from ecglfm.config.base import Section
from ecglfm.provenance import read_json, write_json

COUNTS = {
    "alpha": {
        "test": {"patients": 2, "records": 12},
        "train": {"patients": 7, "records": 40},
        "valid": {"patients": 3, "records": 8},
    }
}


def _slice(results: Path, name: str, section: Section) -> None:
    path = results / f"config/{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(section.model_dump(mode="json")))


def finish(results: Path) -> None:
    """Add to the fixture's results what a whole run has beside them."""
    path = results / "manifest/audit.json"
    write_json(path, read_json(path) | {"counts": COUNTS, "patients_unknown": {"alpha": 5}})
    path = results / "pretrain/tiny/encoder.json"
    write_json(path, read_json(path) | {"training": {"steps": 200, "epochs": 12.5, "sources": ["alpha"]}})
    path = results / "finetune/tiny/super/full-s0/model.json"
    n = {"train_records": 39, "train_patients": 7, "valid_records": 8, "valid_patients": 3}
    write_json(path, read_json(path) | {"training": n | {"best_epoch": 6, "epochs": 8}})
    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    code = {"code": {"version": "0.1.0", "commit": "abc"}, "thresholds": {"NORM": 0.5, "MI": 0.25}}
    write_json(path, read_json(path) | code)
    fractions = ManifestConfig(seed=11, valid_fraction=0.15, test_fraction=0.2)
    _slice(results, "manifest", ManifestSlice(sources=["alpha"], manifest=fractions))
    _slice(results, "preprocess", PreprocessConfig(sampling_rate=400, notch={}))
    _slice(results, "card", CardSlice(card=CardConfig(out_of_scope="Children."), licences={"alpha": "CC BY 4.0"}))
    finetune = FinetuneConfig(lr=0.003, epochs=8, patience=2, threshold="sensitivity", class_weights="balanced")
    _slice(results, "finetune/tiny", FinetuneSlice(finetune=finetune))
    pretrain = {"lr": 0.0005, "batch_size": 32, "steps": 200}
    model = {"kind": "conformer", "layers": 2, "dim": 64, "heads": 2, "ffn_dim": 128}
    encoder = EncoderConfig(model=model, pretrain=pretrain)
    _slice(results, "pretrain/tiny", EncoderSlice(encoder="tiny", config=encoder, preprocess=PreprocessConfig()))
    labels = {"NORM": {"ptbxl": {"scp_class": ["NORM"]}}, "MI": {"ptbxl": {"scp_class": ["MI"], "min_likelihood": 50}}}
    task = TaskConfig(kind="multilabel", description="Two superclasses", labels=labels)
    _slice(results, "labels/super", TaskSlice(task="super", config=task, kinds={"alpha": "ptbxl"}))
