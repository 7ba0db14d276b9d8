"""A fine-tuning that was killed ends with the bits of one that was not, and does no finished epoch again."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from ecglfm.config import UserError
from ecglfm.provenance import read_json
from ecglfm.training.checkpoints.lock import Lock
from ecglfm.training.finetuning import resume, supervised
from tests.unit.training.finetuning.test_finetune import fit, make_data, make_encoder

EPOCHS = 4
OUTPUTS = ("history.csv", "model.json", "model.safetensors")
# Trains on the folder it is given, and dies in the middle of epoch 3 once the state after epoch 2 is on the disk.
DYING = """
import os, signal, sys, time
from pathlib import Path
import torch
from ecglfm.training.finetuning import supervised
from tests.unit.training.finetuning.test_finetune import fit

torch.set_num_threads(1)
data, output = Path(sys.argv[1]), Path(sys.argv[2])
known, updates = supervised.Rates.set, []

def set_or_die(self, engine):
    updates.append(1)
    if len(updates) == 15:  # of 6 an epoch
        while not (output / "checkpoints/step-00000002").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    known(self, engine)

supervised.Rates.set = set_or_die
fit(data, output, epochs=4)
"""


class _Stopped(Exception):
    """In the middle of an epoch."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = make_data(tmp_path_factory.mktemp("resume"))
    make_encoder(folder / "encoder")
    return folder


def outputs(folder: Path) -> list[bytes]:
    assert sorted(path.name for path in folder.iterdir()) == sorted(OUTPUTS)  # no state is left
    return [(folder / name).read_bytes() for name in OUTPUTS]


def logged(caplog: pytest.LogCaptureFixture) -> list[int]:
    """Epochs that a fit said it had done."""
    found = [re.match(r"epoch (\d+) of", record.getMessage()) for record in caplog.records]
    return [int(match[1]) for match in found if match]


def stop_in_epoch(monkeypatch: pytest.MonkeyPatch, stopped: int) -> None:
    """Have the training end after the updates of an epoch, before its state is saved."""
    validate = supervised._validate

    def stop(learner: object, criterion: object, target: object, epoch: int) -> dict[str, float]:
        if epoch == stopped:
            raise _Stopped
        return validate(learner, criterion, target, epoch)

    monkeypatch.setattr(supervised, "_validate", stop)


@pytest.mark.slow
def test_a_killed_fit_goes_on_after_its_last_finished_epoch(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fit(data, tmp_path / "whole", epochs=EPOCHS)
    killed = subprocess.run([sys.executable, "-c", DYING, data, tmp_path / "out"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out/model.safetensors").exists()
    with caplog.at_level("INFO", "ecglfm"):
        fit(data, tmp_path / "out", epochs=EPOCHS)
    assert f"resumed after epoch 2 of {EPOCHS}" in caplog.text
    assert logged(caplog) == [3, 4]
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")
    assert pd.read_csv(tmp_path / "out/history.csv")["epoch"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("name", "options", "finished"),
    [
        ("full-s0", {"freeze_frontend": True, "precision": "bf16"}, 2),
        ("full-s0", {"accumulate": 4}, 2),  # 6 batches an epoch: epochs 1 and 3 end within an update
        ("full-s0", {"zero_stage": 2, "weight_decay": 0.1, "clip_norm": 1.0}, 2),
        ("frozen-s1-50pct", {"select_by": "auroc", "schedule": {"kind": "cosine", "warmup": 0.2}}, 2),
        ("linear-s0", {"zero_stage": 3}, 2),
        ("lora-s0", {"lora": {"rank": 2}}, 2),
        ("full-s0", {"lr": 0.3, "head_lr": 0.3, "patience": 2}, 2),  # the best epoch is not the one that was saved last
    ],
)
def test_every_kind_of_fit_resumes_bit_for_bit(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    name: str, options: dict, finished: int,
) -> None:  # fmt: skip
    fit(data, tmp_path / "whole", name, epochs=EPOCHS, **options)
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 3)
        with pytest.raises(_Stopped):
            fit(data, tmp_path / "out", name, epochs=EPOCHS, **options)
    caplog.clear()
    with caplog.at_level("INFO", "ecglfm"):
        fit(data, tmp_path / "out", name, epochs=EPOCHS, **options)
    assert logged(caplog)[0] == finished + 1
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_a_best_epoch_before_the_kill_stays_the_best(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later epochs are better than the one that was saved last, but not than the first."""
    validate, planted = supervised._validate, {1: 0.3, 2: 0.5, 3: 0.4, 4: 0.6}

    def plant(learner: object, criterion: object, target: object, epoch: int) -> dict[str, float]:
        return validate(learner, criterion, target, epoch) | {"loss": planted[epoch]}

    monkeypatch.setattr(supervised, "_validate", plant)
    fit(data, tmp_path / "whole", epochs=EPOCHS)
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 3)
        with pytest.raises(_Stopped):
            fit(data, tmp_path / "out", epochs=EPOCHS)
    fit(data, tmp_path / "out", epochs=EPOCHS)
    assert read_json(tmp_path / "out/model.json")["training"]["best_epoch"] == 1
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_slow_saves_are_few(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resume, "_QUICK", 0.0)
    monkeypatch.setattr(resume, "_SHARE", 1e6)
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 3)
        with pytest.raises(_Stopped):
            fit(data, tmp_path / "out", epochs=EPOCHS)
    with caplog.at_level("INFO", "ecglfm"):
        fit(data, tmp_path / "out", epochs=EPOCHS)
    assert logged(caplog) == [2, 3, 4]


def test_a_fit_that_cannot_begin_gives_its_lock_back(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, total: int) -> dict:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(resume.Checkpoints, "open_run", full)
        with pytest.raises(OSError, match="No space left"):
            fit(data, tmp_path / "out", epochs=1)
    assert (tmp_path / "out/checkpoints.lock").read_text() == ""


def test_a_fit_that_had_only_to_be_written_trains_no_more(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed after epoch 2, which ended it: patience is not given twice, and the weights are those of epoch 1."""

    def first_is_best(self: supervised.EarlyStopping, epoch: int, value: float) -> bool:
        if epoch == 1:
            self.value, self.epoch = value, epoch
        return epoch == 1

    monkeypatch.setattr(supervised.EarlyStopping, "improves", first_is_best)
    fit(data, tmp_path / "whole", epochs=EPOCHS, patience=1)
    with monkeypatch.context() as patch:
        patch.setattr("ecglfm.training.finetuning.finetune.save_model", lambda *_: (_ for _ in ()).throw(_Stopped))
        with pytest.raises(_Stopped):
            fit(data, tmp_path / "out", epochs=EPOCHS, patience=1)
    caplog.clear()
    with caplog.at_level("INFO", "ecglfm"):
        fit(data, tmp_path / "out", epochs=EPOCHS, patience=1)
    assert logged(caplog) == []
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


@pytest.mark.parametrize("changed", ["config", "data", "encoder"])
def test_another_fit_starts_anew_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, changed: str
) -> None:
    torch.set_num_threads(1)
    folder = make_data(tmp_path / "data")
    make_encoder(folder / "encoder")
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 2)
        with pytest.raises(_Stopped):
            fit(folder, tmp_path / "out")
    options: dict = {"num_workers": 1}  # no part of what a fit is
    if changed == "config":
        options["weight_decay"] = 0.1
    elif changed == "data":
        labels = pd.read_parquet(folder / "labels.parquet")
        labels.loc[labels.index[0], "label.fast"] = 1 - labels["label.fast"].iloc[0]
        labels.to_parquet(folder / "labels.parquet")
    else:
        path = folder / "encoder/encoder.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    with caplog.at_level("INFO", "ecglfm"):
        fit(folder, tmp_path / "out", **options)
    assert f"holds the state of another training ({changed} has changed)" in caplog.text
    assert logged(caplog) == [1, 2]
    outputs(tmp_path / "out")


def test_two_jobs_never_train_the_same_fit(data: Path, tmp_path: Path) -> None:
    lock = Lock(tmp_path / "checkpoints.lock")
    try:
        with pytest.raises(UserError, match="already trains here"):
            fit(data, tmp_path)
    finally:
        lock.release()
    assert not (tmp_path / "model.json").exists()
