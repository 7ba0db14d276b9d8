"""A fine-tuning that was killed ends with the bits of one that was not, and does no finished epoch again."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from ecglfm import distributed
from ecglfm.config import UserError
from ecglfm.lock import Lock
from ecglfm.models.settings import fit_hash
from ecglfm.provenance import read_json, sha256_file, write_json
from ecglfm.training.checkpoints.checkpoint import Checkpoints
from ecglfm.training.finetuning import resume, supervised
from ecglfm.training.finetuning.tracked import NO_PART
from ecglfm.training.vectors import weights_hash
from tests.integration import warm
from tests.unit.training.finetuning.test_finetune import TASK, fit, make_data, make_encoder, slice_of
from tests.unit.training.pretraining.small_pretraining import StopAfter

EPOCHS = 4
OUTPUTS = ("history.csv", "model.json", "model.safetensors", "seen.safetensors")
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
        while not (output / "checkpoints/step-00000014").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    known(self, engine)

supervised.Rates.set = set_or_die
fit(data, output, epochs=4)
"""

# Runs the command it is given, which Slurm warns during the third update of epoch 3.
ASKED = """
import os, signal, sys
from ecglfm.cli import main
from ecglfm.training.finetuning import supervised

known, updates = supervised.Rates.set, []

def set_and_ask(self, engine):
    updates.append(1)
    if len(updates) == 15:  # of 6 an epoch
        os.kill(os.getpid(), signal.SIGUSR1)
    known(self, engine)

supervised.Rates.set = set_and_ask
sys.exit(main(sys.argv[1:]))
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
    # Another process may find another commit: somebody works in the clone meanwhile.
    commit = json.dumps(read_json(folder / "model.json")["code"]["commit"]).encode()
    return [(folder / name).read_bytes().replace(commit, b"") for name in OUTPUTS]


def logged(caplog: pytest.LogCaptureFixture) -> list[int]:
    """Epochs that a fit said it had done."""
    found = [re.match(r"epoch (\d+) of", record.getMessage()) for record in caplog.records]
    return [int(match[1]) for match in found if match]


def stop_in_epoch(monkeypatch: pytest.MonkeyPatch, stopped: int) -> None:
    """Have the training end after the updates of an epoch, before its state is saved."""
    validate = supervised._validate

    def stop(learner: object, criterion: object, target: object, epoch: int, flag: object) -> dict[str, float]:
        if epoch == stopped:
            raise _Stopped
        return validate(learner, criterion, target, epoch, flag)

    monkeypatch.setattr(supervised, "_validate", stop)


@pytest.mark.slow
def test_a_killed_fit_goes_on_after_its_last_finished_epoch(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fit(data, tmp_path / "whole", epochs=EPOCHS)
    killed = subprocess.run([warm.script(), "-c", DYING, data, tmp_path / "out"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out/model.safetensors").exists()
    with caplog.at_level("INFO", "ecglfm"):
        fit(data, tmp_path / "out", epochs=EPOCHS)
    assert f"resumed after epoch 2 of {EPOCHS}" in caplog.text
    assert logged(caplog) == [3, 4]
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")
    assert pd.read_csv(tmp_path / "out/history.csv")["epoch"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("name", "options", "polls", "where", "finished"),
    [
        # Six batches an epoch and eight of validation; the flag is looked at after or before each.
        ("full-s0", {"freeze_frontend": True, "precision": "bf16"}, 18, "epoch 1 of 4 and batch 4 of 6", 2),
        # Updates end with batch 4 of epoch 1, with 2 and 6 of epoch 2: epochs 1 and 3 end within one.
        ("full-s0", {"accumulate": 4, "augment": [{"kind": "time_warp"}, {"kind": "noise", "mv": [0.1, 0.5]}]}, 2,
         "epoch 1 of 4 and batch 2 of 6", 2),
        ("full-s0", {"accumulate": 4}, 1, "epoch 0 of 4 and batch 4 of 6", 2),
        ("full-s0", {"zero_stage": 2, "weight_decay": 0.1, "clip_norm": 1.0}, 24, "epoch 1 of 4 and batch 6 of 6", 2),
        # 38 records, 16 windows a batch: as many batches as of all 96, in the second of the passes 3 to 6; and validation 4.
        ("frozen-s1-40pct", {"select_by": "auroc", "schedule": {"kind": "cosine", "warmup": 0.2}}, 6 + 4 + 4,
         "epoch 1 of 4 and batch 4 of 6", 2),
        # Eight forwards make the vectors of 512 windows; 24 batches, and a validation that does not ask.
        ("linear-s0", {"zero_stage": 3}, 8 + 24 + 5, "epoch 1 of 4 and batch 5 of 24", 2),
        ("linear-s0-30pct", {"accumulate": 2}, 8 + 12 + 5, "epoch 1 of 4 and batch 10 of 24", 2),
        ("lora-s0", {"lora": {"rank": 2}}, 1, "epoch 0 of 4 and batch 1 of 6", 2),
        # The best epoch is not the one that was saved last.
        ("full-s0", {"lr": 0.3, "head_lr": 0.3, "patience": 2}, 17, "epoch 1 of 4 and batch 3 of 6", 2),
    ],
)  # fmt: skip
def test_every_kind_of_fit_resumes_bit_for_bit(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    name: str, options: dict, polls: int, where: str, finished: int,
) -> None:  # fmt: skip
    """Stopped by a signal within an epoch, then killed in epoch 3."""
    fit(data, tmp_path / "whole", name, epochs=EPOCHS, **options)
    caplog.set_level("INFO", "ecglfm")
    with pytest.raises(distributed.Stopped):
        fit(data, tmp_path / "out", name, epochs=EPOCHS, stop=StopAfter(polls - 1), **options)
    assert f"stopped by a signal after {where}; a rerun resumes" in caplog.messages
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["checkpoints", "progress.json"]  # and no lock
    seen = [folder / "seen.safetensors" for folder in (tmp_path / "out/checkpoints", tmp_path / "whole")]
    assert seen[0].read_bytes() == seen[1].read_bytes()
    caplog.clear()
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 3)
        with pytest.raises(_Stopped):
            fit(data, tmp_path / "out", name, epochs=EPOCHS, **options)
    assert f"resumed after {where}" in caplog.messages
    caplog.clear()
    fit(data, tmp_path / "out", name, epochs=EPOCHS, **options)
    assert logged(caplog)[0] == finished + 1
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_a_state_of_before_there_were_any_within_epochs_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its step was the epoch, its state did not name it, and an empty lock lay there."""
    fit(data, tmp_path / "whole", epochs=EPOCHS)
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 3)
        with pytest.raises(_Stopped):
            fit(data, tmp_path / "out", epochs=EPOCHS)
    (tmp_path / "out/checkpoints.lock").touch()
    saved = tmp_path / "out/checkpoints/step-00000002"
    (tmp_path / "out/checkpoints/step-00000014").rename(saved)
    state = read_json(saved / "state.json")
    assert (state.pop("epochs"), state.pop("batches")) == (2, 0)
    (saved / "state.json").write_text(json.dumps(state))  # in its order, which is that of history.csv's columns
    manifest = read_json(saved / "manifest.json")
    manifest["files"]["state.json"] = {
        "size": (saved / "state.json").stat().st_size, "sha256": sha256_file(saved / "state.json"),
    }  # fmt: skip
    write_json(saved / "manifest.json", manifest | {"step": 2})
    with pytest.raises(distributed.Stopped):
        fit(data, tmp_path / "out", epochs=EPOCHS, stop=StopAfter(2))
    assert [path.name for path in saved.parent.glob("step-*")] == ["step-00000017"]
    caplog.set_level("INFO", "ecglfm")
    fit(data, tmp_path / "out", epochs=EPOCHS)
    assert f"resumed after epoch 2 of {EPOCHS} and batch 3 of 6" in caplog.messages
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_the_vectors_of_a_probe_are_not_waited_for(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(distributed.Stopped):
        fit(data, tmp_path / "out", "linear-s0", stop=StopAfter(3))
    assert "stopped by a signal before the encoder's vectors were whole; a rerun makes them anew" in caplog.messages
    assert not (tmp_path / "out/checkpoints.lock").exists()


@pytest.mark.slow
def test_a_command_that_is_asked_to_end_saves_and_the_same_command_goes_on(data: Path, tmp_path: Path) -> None:
    fit(data, tmp_path / "whole", epochs=EPOCHS)
    for name, content in (("fits", slice_of(epochs=EPOCHS)), ("task", TASK)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content.model_dump(mode="json")))
    command = [
        "finetune", f"--config={tmp_path / 'fits.yaml'}", "--fit=full-s0", f"--encoder={data / 'encoder'}",
        f"--task={tmp_path / 'task.yaml'}", f"--labels={data / 'labels.parquet'}",
        f"--manifest={data / 'records.parquet'}", f"--signals={data / 'preprocess'}", f"--output={tmp_path / 'out'}",
        "--threads=1",
    ]  # fmt: skip
    asked = subprocess.run([warm.script(), "-c", ASKED, *command], capture_output=True, text=True, check=False)
    assert asked.returncode == distributed.STOPPED, asked.stderr
    assert "stopped by a signal after epoch 2 of 4 and batch 3 of 6; a rerun resumes" in asked.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["checkpoints", "progress.json"]
    again = [str(warm.shims() / "python"), "-m", "ecglfm", *command]
    assert (
        "resumed after epoch 2 of 4 and batch 3 of 6"
        in subprocess.run(again, capture_output=True, text=True, check=True).stderr
    )
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_a_best_epoch_before_the_kill_stays_the_best(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later epochs are better than the one that was saved last, but not than the first."""
    validate, planted = supervised._validate, {1: 0.3, 2: 0.5, 3: 0.4, 4: 0.6}

    def plant(learner: object, criterion: object, target: object, epoch: int, flag: object) -> dict[str, float]:
        return validate(learner, criterion, target, epoch, flag) | {"loss": planted[epoch]}

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
    def full(self: object, total: int | None) -> dict:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "open_run", full)
        with pytest.raises(OSError, match="No space left"):
            fit(data, tmp_path / "out", epochs=1)
    assert not (tmp_path / "out/checkpoints.lock").exists()


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


def test_a_share_that_was_stopped_when_its_epochs_were_short_starts_anew(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its state then named the config of the fit as it was."""
    name, encoder = "full-s0-40pct", weights_hash(data / "encoder")
    settings = slice_of().finetune.model_dump(mode="json", exclude=set(NO_PART))
    fit(data, tmp_path / "whole", name)
    content = read_json(tmp_path / "whole/model.json")
    assert content["config_hash"] == fit_hash(settings, name, TASK)
    before = Checkpoints(
        tmp_path / "out/checkpoints", config_hash=content["config_hash"], data_hash=content["data_hash"], keep_last=1,
        pairs_per_update=16,
    )  # fmt: skip
    before.identity["encoder_hash"] = encoder
    before.open_run()
    with caplog.at_level("INFO", "ecglfm"):
        fit(data, tmp_path / "out", name)
    assert "holds the state of another training (config has changed)" in caplog.text
    assert logged(caplog) == [1, 2]
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_two_jobs_never_train_the_same_fit(data: Path, tmp_path: Path) -> None:
    lock = Lock(tmp_path / "checkpoints.lock")
    try:
        with pytest.raises(UserError, match="already trains here"):
            fit(data, tmp_path)
    finally:
        lock.release()
    assert not (tmp_path / "model.json").exists()
