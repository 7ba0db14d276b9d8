"""What a model says it was trained with: of a hash that was written down, and of files of an earlier ecglfm."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ecglfm.config import FinetuneConfig, TaskSlice, UserError
from ecglfm.models.settings import finetuning_of, fit_hash, pretraining_of, was_told

TASK = {
    "task": "af",
    "config": {"kind": "multilabel", "labels": {"AF": {"ptbxl": {"scp": ["AFIB"]}}}},
    "kinds": {"a": "ptbxl"},
}
PATH = Path("model.json")


def task_slice(code: str = "AFIB") -> TaskSlice:
    labels = {"AF": {"ptbxl": {"scp": [code]}}}
    return TaskSlice.model_validate(TASK | {"config": {"kind": "multilabel", "labels": labels}})


def test_a_fit_knows_its_task_word_by_word() -> None:
    task = task_slice()
    by_hand = json.dumps(
        {"finetune": {"lr": 0.003}, "fit": "full-s0", "task": task.model_dump(mode="json")},
        sort_keys=True,
        separators=(",", ":"),
    )
    assert fit_hash({"lr": 0.003}, "full-s0", task) == hashlib.sha256(by_hand.encode()).hexdigest()
    info = {"finetune": {"lr": 0.003}, "fit": "full-s0", "config_hash": fit_hash({"lr": 0.003}, "full-s0", task)}
    assert was_told(info, task)
    assert not was_told(info, task_slice("AFLT"))
    assert not was_told(info | {"finetune": {"lr": 0.001}}, task)
    assert was_told({"fit": "full-s0", "config_hash": "of an earlier ecglfm"}, task)


def test_settings_are_those_of_the_file() -> None:
    found = finetuning_of({"finetune": {"lr": 0.003, "epochs": 7}}, PATH)
    assert found == FinetuneConfig(lr=0.003, epochs=7)
    trained = pretraining_of({"pretrain": {"lr": 0.002}, "training": {"steps": 12}}, PATH)
    assert trained is not None
    assert (trained.lr, trained.steps) == (0.002, 12)
    assert finetuning_of({}, PATH) is None
    assert pretraining_of({"training": {"steps": 12}}, PATH) is None
    with pytest.raises(UserError, match=r"model\.json: epochs: "):
        finetuning_of({"finetune": {"epochs": -1}}, PATH)
