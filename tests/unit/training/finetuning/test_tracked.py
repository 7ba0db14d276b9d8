"""What a fit tells MLflow."""

from __future__ import annotations

from pathlib import Path

from ecglfm.config import FinetuneConfig, TaskConfig, TaskSlice
from ecglfm.config.fits import parse_fit
from ecglfm.tracking import start_run
from ecglfm.training.finetuning.history import EarlyStopping, TrainingHistory
from ecglfm.training.finetuning.tracked import best_of, run_of_fit, spelled
from tests.unit.tracking.places import tracking

TASK = TaskConfig.model_validate(
    {
        "kind": "multilabel",
        "labels": {"MI": {"ptbxl": {"scp": ["IMI"]}}, "AF": {"ptbxl": {"scp": ["AFIB"]}}},
        "sources": ["ptbxl"],
        "missing": "drop",
    }
)
HASHES = {"config_hash": "c", "data_hash": "d", "manifest_hash": "m"}


def test_parameters_are_those_that_differ_and_the_pretraining_is_the_parent(tmp_path: Path) -> None:
    choice = tracking(tmp_path, "http://127.0.0.1:1")
    for config_hash in ("e", "f"):
        tags = {"encoder": "tiny", "config_hash": config_hash, "data_hash": "g"}
        start_run(choice, stage="pretrain", name=config_hash, tags=tags, params={}).finish()
    about = run_of_fit(
        choice,
        encoder={"name": "tiny", "config_hash": "e", "data_hash": "g"},
        task=TaskSlice(task="super", config=TASK, kinds={}),
        fit=parse_fit("full-s3"),
        config=FinetuneConfig(epochs=7, num_workers=5, seeds=[3]),
        hashes=HASHES,
        rule=None,
    )
    assert about["name"] == "tiny/super/full-s3"
    assert about["params"] == {
        "mode": "full", "seed": 3, "fraction": 1.0, "finetune": {"lr": 5e-5, "epochs": 7},
        "task": {"kind": "multilabel", "missing": "drop", "labels": "MI AF", "sources": "ptbxl"},
    }  # fmt: skip
    assert about["tags"] == {"stage": "finetune", "encoder": "tiny", "task": "super", "fit": "full-s3"} | HASHES
    assert about["parent"].name == "e"
    assert about["config"]["task"]["labels"]["AF"]["ptbxl"]["scp"] == ["AFIB"]
    assert about["config"]["finetune"]["patience"] == FinetuneConfig().patience
    assert about["config"]["encoder"] == {"name": "tiny", "config_hash": "e"}  # another pretraining is another name
    assert not {"num_workers", "seeds", "modes"} & set(about["config"]["finetune"])


def test_an_epoch_is_spelled_as_the_evaluation_is() -> None:
    scores = {"train": {"loss": 0.5, "auroc": 0.75}, "valid": {"loss": 0.25}}
    assert spelled(scores, {"lr": 0.1, "head_lr": 0.2}) == {
        "train/loss": 0.5, "train/auroc_macro": 0.75, "valid/loss": 0.25, "train/lr": 0.1, "train/head_lr": 0.2,
    }  # fmt: skip


def test_the_best_epoch_and_what_chose_it() -> None:
    history = TrainingHistory(EarlyStopping(5, larger_is_better=True))
    for epoch, value in enumerate((0.5, 0.75, 0.625), start=1):
        history.best.improves(epoch, value)
    assert best_of(history, "auroc") == {"best/epoch": 2, "best/auroc_macro": 0.75}
    assert set(best_of(history, "loss")) == {"best/epoch", "best/loss"}
