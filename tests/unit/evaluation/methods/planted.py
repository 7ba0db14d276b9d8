"""A finished run whose every number is known."""

from __future__ import annotations

from pathlib import Path

import yaml

from ecglfm.config import (
    CardConfig,
    CardSlice,
    FinetuneConfig,
    ManifestConfig,
    ManifestSlice,
    PreprocessConfig,
    PretrainConfig,
    TaskConfig,
    TaskSlice,
)
from ecglfm.config.base import Section
from ecglfm.models.settings import fit_hash
from ecglfm.provenance import read_json, write_json
from ecglfm.training.checkpoints import decisive
from ecglfm.training.finetuning.tracked import NO_PART

COUNTS = {
    "alpha": {
        "test": {"patients": 2, "records": 12},
        "train": {"patients": 7, "records": 40},
        "valid": {"patients": 3, "records": 8},
    }
}


def plant_slice(results: Path, name: str, section: Section) -> None:
    """Write what a stage is told."""
    path = results / f"config/{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(section.model_dump(mode="json")))


def finish(results: Path) -> None:
    """Add to the fixture's results what a whole run has beside them."""
    path = results / "manifest/audit.json"
    write_json(path, read_json(path) | {"counts": COUNTS, "patients_unknown": {"alpha": 5}})
    path = results / "pretrain/tiny/encoder.json"
    pretraining = PretrainConfig(lr=0.0005, steps=200)
    course = {"steps": 200, "epochs": 12.5, "sources": ["alpha"], "pairs_per_update": 32}
    write_json(path, read_json(path) | {"pretrain": decisive(pretraining), "training": course})
    path = results / "finetune/tiny/super/full-s0/model.json"
    n = {"train_records": 39, "train_patients": 7, "valid_records": 8, "valid_patients": 3}
    finetune = FinetuneConfig(lr=0.003, epochs=8, patience=2, threshold="sensitivity", class_weights="balanced")
    settings = finetune.model_dump(mode="json", exclude=set(NO_PART))
    labels = {"NORM": {"ptbxl": {"scp_class": ["NORM"]}}, "MI": {"ptbxl": {"scp_class": ["MI"], "min_likelihood": 50}}}
    config = TaskConfig(kind="multilabel", description="Two superclasses", labels=labels)
    task = TaskSlice(task="super", config=config, kinds={"alpha": "ptbxl"})
    told = {"finetune": settings, "config_hash": fit_hash(settings, "full-s0", task)}
    write_json(path, read_json(path) | told | {"training": n | {"best_epoch": 6, "epochs": 8}})
    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    code = {"code": {"version": "0.1.0", "commit": "abc"}, "thresholds": {"NORM": 0.5, "MI": 0.25}}
    write_json(path, read_json(path) | code)
    fractions = ManifestConfig(seed=11, valid_fraction=0.15, test_fraction=0.2)
    plant_slice(results, "manifest", ManifestSlice(sources=["alpha"], manifest=fractions))
    plant_slice(results, "preprocess", PreprocessConfig(sampling_rate=400, notch={}))
    plant_slice(results, "card", CardSlice(card=CardConfig(out_of_scope="Children."), licences={"alpha": "CC BY 4.0"}))
    plant_slice(results, "labels/super", task)
