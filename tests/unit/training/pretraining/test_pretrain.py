"""Pretraining of a tiny encoder on planted signals: it resumes exactly, stops cleanly, and says what it did."""

from __future__ import annotations

import errno
import json
import math
import os
import random
import shutil
import signal
import subprocess
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from ecglfm.config import PretrainConfig, UserError, parse
from ecglfm.models.bundle import load_encoder
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.models.pretraining.masking import hidden_frames
from ecglfm.models.seen import fingerprints, read_seen
from ecglfm.models.settings import pretraining_of
from ecglfm.training.checkpoints import SavedTraining
from ecglfm.training.engine import initialize
from ecglfm.training.pretraining import loop
from ecglfm.training.pretraining import pretrain as pretraining
from ecglfm.training.pretraining.encoders import build_encoder
from ecglfm.training.pretraining.loop import history_columns
from ecglfm.training.pretraining.pretrain import Pretraining, run_pretrain
from tests.integration import warm
from tests.unit.shard_leads import name_leads
from tests.unit.training.pretraining.small_pretraining import (
    LEADS,
    StopAfter,
    encoder_slice,
    history,
    pretrain,
    weights,
)

COLUMNS = history_columns(MaskedCodes.columns)


@pytest.fixture(scope="session")
def undisturbed(prepared, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed")
    assert pretrain(prepared, output) == 0
    return output


def test_samples_that_are_not_the_manifests_end_it_before_it_begins(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "data")
    path = tmp_path / "data/preprocess/db/000.npy"
    np.save(path, -np.load(path))
    with pytest.raises(UserError, match=r"000\.npy: the SHA-256 of db/00-0's samples .*79 more of its recordings"):
        pretrain(tmp_path / "data", tmp_path / "out")
    assert not list((tmp_path / "out").glob("checkpoints/step-*"))


def test_signals_of_another_rate_or_order_of_leads_end_it_before_it_begins(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "data")
    name_leads(tmp_path / "data/preprocess/db/000.npy", ["II", "I", "V1"])
    with pytest.raises(
        UserError, match=r"leads II I V1 at 100 Hz, but config.* reads I II V1 .* --forcerun .*000\.npy"
    ):
        pretrain(tmp_path / "data", tmp_path / "out")
    name_leads(tmp_path / "data/preprocess/db/000.npy", LEADS)
    records = pd.read_parquet(prepared / "records.parquet").assign(sampling_rate=250)
    records.to_parquet(tmp_path / "data/records.parquet")
    with pytest.raises(UserError, match=r"leads I II V1 at 250 Hz, but config.* reads I II V1 at 100 Hz"):
        pretrain(tmp_path / "data", tmp_path / "out")


def test_outputs_are_self_contained(prepared, undisturbed):
    encoder = load_encoder(undisturbed)
    assert (encoder.leads, encoder.sampling_rate, encoder.crop_samples) == (LEADS, 100, 200)
    assert all(torch.isfinite(value).all() for value in encoder.state_dict().values())
    info = json.loads((undisturbed / "encoder.json").read_text())
    training = info["training"]
    assert (info["name"], info["weights"]) == ("tiny", "pretrain")
    told = pretraining_of(info, undisturbed)
    assert (told.lr, told.crop_seconds, told.quantizer.codes, told.steps) == (1e-3, 2.0, 8, 12)
    assert not {"batch_size", "num_workers", "processes"} & set(info["pretrain"])  # equal trainings, equal files
    assert (training["steps"], training["pairs"], training["validation_pairs"]) == (12, 32, 8)
    assert training["epochs"] == 12 / 8  # 32 pairs, 4 an update
    course = pd.read_csv(undisturbed / "history.csv")
    assert list(course) == COLUMNS
    assert course[["step", "epoch", "split"]].values.tolist() == [
        [4, 1, "train"], [6, 1, "valid"], [8, 1, "train"], [12, 2, "train"], [12, 2, "valid"],
    ]  # fmt: skip
    for column in ("segments_per_second", "memory_mb", "skipped"):
        assert course[column].notna().tolist() == [True, False, True, True, False]
    assert course["memory_mb"].dropna().between(100, 4000).all()  # PyTorch alone takes more than 100
    assert training["warnings"] == []
    assert training["final"]["valid"]["loss"] == course["loss"].iloc[-1]
    assert sorted(path.name for path in (undisturbed / "checkpoints").glob("step-*")) == [
        "step-00000008", "step-00000012",
    ]  # fmt: skip


def test_the_weights_have_moved_from_the_seeded_ones(undisturbed):
    before, after = build_encoder(encoder_slice(), 3).state_dict(), load_encoder(undisturbed).state_dict()
    moved = {name: float((after[name] - before[name]).abs().max()) for name in before if "running" not in name}
    # Adam moves a weight by about the rate of 1e-3 in each of the 12 updates, none by much more.
    assert 5e-3 < max(value for name, value in moved.items() if "num_batches" not in name) < 20e-3
    assert all(moved.values()), "a weight got no gradient"


def test_stopped_by_a_signal_it_resumes_bit_for_bit(prepared, undisturbed, tmp_path, caplog):
    caplog.set_level("INFO")
    assert pretrain(prepared, tmp_path, stop=StopAfter(5)) == 75
    assert not (tmp_path / "encoder.safetensors").exists()
    assert "stopped by a signal at step 5 of 12" in caplog.text
    assert not (tmp_path / "checkpoints.lock").exists()
    assert pretrain(prepared, tmp_path) == 0
    assert "resumed from step 5 of 12" in caplog.text
    assert weights(tmp_path) == weights(undisturbed)
    pd.testing.assert_frame_equal(history(tmp_path), history(undisturbed))


@pytest.fixture
def logged(monkeypatch):
    """Steps of the lines that trainings of this test logged."""
    steps, log = [], Pretraining.log

    def noted(self, run, step, split, row):
        steps.append(step)
        log(self, run, step, split, row)

    monkeypatch.setattr(Pretraining, "log", noted)
    return steps


def test_no_generator_has_a_state_that_matters(prepared, tmp_path, monkeypatch, logged):
    options = {"log_every": 1, "steps": 10}  # 8 updates an epoch
    assert encoder_slice().config.model.dropout == 0.1
    assert pretrain(prepared, tmp_path / "calm", **options) == 0
    assert pretrain(prepared, tmp_path / "stopped", stop=StopAfter(5), **options) == 75
    del logged[:]

    def perturbed(*args, **more):
        torch.manual_seed(99)
        np.random.seed(99)
        random.seed(99)
        return loop.train(*args, **more)

    monkeypatch.setattr(pretraining, "train", perturbed)
    assert pretrain(prepared, tmp_path / "stopped", **options) == 0
    assert logged[0] == 6
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")
    pd.testing.assert_frame_equal(history(tmp_path / "stopped"), history(tmp_path / "calm"))


def test_a_full_disk_stops_it_and_with_space_it_goes_on(prepared, undisturbed, tmp_path, monkeypatch, logged):
    write = os.write

    def nearly_full(descriptor, data):
        if ".saving-00000008" in os.readlink(f"/proc/self/fd/{descriptor}"):
            write(descriptor, data[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", nearly_full)
        with pytest.raises(UserError, match=r"step-00000008: the checkpoint was not written .*No space left on device"):
            pretrain(prepared, tmp_path)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "history.csv", "run.json", "seen.safetensors", "step-00000004",
    ]  # fmt: skip
    seen = [folder / "seen.safetensors" for folder in (tmp_path / "checkpoints", undisturbed)]
    assert seen[0].read_bytes() == seen[1].read_bytes()
    assert not (tmp_path / "checkpoints.lock").exists()
    del logged[:]
    pretrain(prepared, tmp_path)
    assert logged[:2] == [6, 8]  # validation and training of the steps after 4
    assert weights(tmp_path) == weights(undisturbed)
    pd.testing.assert_frame_equal(history(tmp_path), history(undisturbed))


def test_the_global_batch_may_be_spread_in_another_way(prepared, tmp_path, caplog, logged):
    pretrain(prepared, tmp_path, steps=4, log_every=1)
    assert "BatchNorm now sees" not in caplog.text
    del logged[:]
    pretrain(prepared, tmp_path, steps=6, log_every=1, batch_size=2, accumulate=2)
    assert logged[0] == 5
    assert "BatchNorm now sees 2 pairs at a time, before 4: the loss may jump" in caplog.text


def test_a_checkpoint_of_an_earlier_objective_goes_on_and_says_so(prepared, tmp_path, monkeypatch, caplog):
    save = SavedTraining.save

    def as_before(self, engine, step, state, **options):
        assert state["objective"] == 2
        save(self, engine, step, {key: value for key, value in state.items() if key != "objective"}, **options)

    with monkeypatch.context() as before:
        before.setattr(SavedTraining, "save", as_before)
        pretrain(prepared, tmp_path, steps=4)
    caplog.set_level("INFO")
    pretrain(prepared, tmp_path, steps=6)
    assert "resumed from step 4 of 6" in caplog.text
    said = "the checkpoint is of an ecglfm that hid frames in another way (version 1 of the objective, now 2; see"
    assert caplog.text.count(said) == 1
    caplog.clear()
    pretrain(prepared, tmp_path, steps=8)
    assert "resumed from step 6 of 8" in caplog.text
    assert said not in caplog.text


def test_raising_steps_continues_and_gives_the_longer_training(prepared, undisturbed, tmp_path, caplog):
    caplog.set_level("INFO")
    pretrain(prepared, tmp_path, steps=8)
    caplog.clear()
    pretrain(prepared, tmp_path, steps=12, num_workers=1)
    assert "resumed from step 8 of 12" in caplog.text
    assert weights(tmp_path) == weights(undisturbed)


def test_raising_steps_is_another_training_where_the_learning_rate_depends_on_them(prepared, tmp_path, caplog):
    caplog.set_level("INFO")
    cosine = {"schedule": {"kind": "cosine", "warmup": 0.25, "final": 0.1}, "log_every": 1}
    pretrain(prepared, tmp_path / "raised", steps=8, **cosine)
    rates = history(tmp_path / "raised").query("split == 'train'")["lr"]
    falling = [0.1 + 0.45 * (1 + math.cos(math.pi * done / 6)) for done in range(7)]
    assert rates.tolist() == pytest.approx([1e-3 * share for share in [0.5, *falling]])
    pretrain(prepared, tmp_path / "raised", steps=12, **cosine)
    assert "holds the state of another training (schedule_steps has changed)" in caplog.text
    assert "resumed" not in caplog.text
    assert pretrain(prepared, tmp_path / "straight", steps=12, stop=StopAfter(5), **cosine) == 75
    pretrain(prepared, tmp_path / "straight", steps=12, **cosine)
    assert "resumed from step 5 of 12" in caplog.text
    assert weights(tmp_path / "straight") == weights(tmp_path / "raised")
    with pytest.raises(UserError, match=r"warm-up \(12\) and hold \(0\) leave none of 12 updates for the cosine decay"):
        pretrain(prepared, tmp_path / "none", schedule={"kind": "cosine", "warmup": 12})


@pytest.mark.parametrize("stage", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_gradients_are_clipped_to_the_norm(prepared, tmp_path, monkeypatch, stage):
    applied = []

    def watched(*args):
        engine = initialize(*args)
        step = engine.basic_optimizer.step

        def noted():
            groups = engine.basic_optimizer.param_groups
            gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
            applied.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))
            step()

        engine.basic_optimizer.step = noted
        return engine

    monkeypatch.setattr(pretraining, "initialize", watched)
    pretrain(prepared, tmp_path / "free", steps=3, log_every=1, zero_stage=stage)
    before = history(tmp_path / "free").query("split == 'train'")["grad_norm"].tolist()
    assert applied == pytest.approx(before, rel=1e-5)
    assert min(before) > 1.0
    del applied[:]
    pretrain(prepared, tmp_path / "clipped", steps=3, log_every=1, zero_stage=stage, clip_norm=0.5)
    assert applied == pytest.approx([0.5] * 3, rel=1e-5)
    logged = history(tmp_path / "clipped").query("split == 'train'")["grad_norm"].tolist()
    assert logged[0] == pytest.approx(before[0], rel=1e-5)  # history has the norm before clipping
    del applied[:]
    pretrain(prepared, tmp_path / "loose", steps=3, log_every=1, zero_stage=stage, clip_norm=100.0)
    assert applied == pytest.approx(before, rel=1e-5)


def test_a_damaged_checkpoint_costs_only_its_steps(prepared, undisturbed, tmp_path, caplog):
    caplog.set_level("INFO")
    pretrain(prepared, tmp_path, stop=StopAfter(9), keep_last=0)
    for step in (8, 9):
        file = next((tmp_path / "checkpoints" / f"step-0000000{step}").glob("rank-*"))
        with file.open("r+b") as damaged:
            damaged.truncate(100)
    pretrain(prepared, tmp_path)
    assert "step-00000009 is skipped" in caplog.text
    assert "resumed from step 4 of 12" in caplog.text
    assert weights(tmp_path) == weights(undisturbed)
    pd.testing.assert_frame_equal(history(tmp_path), history(undisturbed))  # steps 6 and 8 stand there once


def test_another_learning_rate_starts_at_step_0(prepared, undisturbed, tmp_path, caplog):
    caplog.set_level("INFO")
    pretrain(prepared, tmp_path, lr=2e-3)
    pretrain(prepared, tmp_path)
    assert "training starts at step 0" in caplog.text
    assert "resumed" not in caplog.text
    assert weights(tmp_path) == weights(undisturbed)
    assert (tmp_path / "checkpoints.set-aside-1" / "step-00000012").is_dir()


def test_accumulation_reads_the_same_pairs(prepared, tmp_path):
    pretrain(prepared, tmp_path, batch_size=2, accumulate=2, steps=8)
    assert json.loads((tmp_path / "encoder.json").read_text())["training"]["pairs_per_update"] == 4


def test_epochs_are_passes_over_the_patients(prepared, tmp_path):
    pretrain(prepared, tmp_path, steps=None, epochs=2, batch_size=16, checkpoint_every={"epochs": 1})
    assert json.loads((tmp_path / "encoder.json").read_text())["training"]["steps"] == 4
    assert sorted(path.name[-1] for path in (tmp_path / "checkpoints").glob("step-*")) == ["2", "4"]


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_zero_and_half_precision_give_a_whole_encoder(prepared, tmp_path, stage):
    options = {"zero_stage": stage, "clip_norm": 1.0, "checkpoint_every": {"steps": 2}, "keep_last": 1}
    pretrain(prepared, tmp_path, steps=2, **options)
    pretrain(prepared, tmp_path, steps=4, **options)
    pretrain(prepared, tmp_path / "plain", steps=4, clip_norm=1.0)
    plain = load_encoder(tmp_path / "plain").state_dict()
    # A bias before a normalisation, or of keys before a softmax, has gradient 0: Adam follows rounding there.
    idle = ("frontend.convs.0.bias", "linear_k.bias")
    for name, value in load_encoder(tmp_path).state_dict().items():
        if name.endswith(idle):
            continue
        torch.testing.assert_close(value, plain[name], rtol=1e-3, atol=1e-4, msg=name)
    pretrain(prepared, tmp_path / "half", steps=2, precision="bf16", **options)
    assert {value.dtype for value in load_encoder(tmp_path / "half").parameters()} == {torch.float32}


def test_random_and_imported_weights_come_in_the_same_form(prepared, undisturbed, tmp_path):
    for name in ("a", "b"):
        pretrain(prepared, tmp_path / name, weights="random")
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert load_encoder(tmp_path / "a").info["weights"] == "random"
    assert pd.read_csv(tmp_path / "a" / "history.csv").columns.tolist() == COLUMNS
    pretrain(prepared, tmp_path / "copy", weights="import", path=str(undisturbed))
    copy, original = load_encoder(tmp_path / "copy"), load_encoder(undisturbed)
    assert all(torch.equal(value, original.state_dict()[name]) for name, value in copy.state_dict().items())
    assert (copy.info["weights"], copy.info["data_hash"]) == ("import", original.info["data_hash"])
    records = pd.read_parquet(prepared / "records.parquet")
    of, found = read_seen(tmp_path / "copy")["pretraining"]
    assert of == original.info["data_hash"]
    assert found.tolist() == fingerprints(records.loc[records["split"] != "test", "sha256"]).tolist()
    assert read_seen(tmp_path / "a") == {}


def test_an_imported_encoder_of_other_signals_is_refused(undisturbed, tmp_path):
    config = encoder_slice(weights="import", path=str(undisturbed))
    other = config.model_copy(update={"preprocess": config.preprocess.model_copy(update={"leads": ["I", "II", "V2"]})})
    with pytest.raises(UserError, match="its leads is"):
        run_pretrain(other, manifest=tmp_path, signals=tmp_path, output=tmp_path)


def test_an_objective_is_made_where_it_trains(prepared, tmp_path, monkeypatch):
    """Not on the host first; `meta` stands in for a GPU."""

    class Enough(Exception): ...

    def built(objective, _config):
        assert {value.device.type for value in objective.state_dict().values()} == {"meta"}
        raise Enough

    monkeypatch.setattr(pretraining.distributed, "choose_device", lambda: torch.device("meta"))
    monkeypatch.setattr(pretraining, "initialize", built)
    with pytest.raises(Enough):
        pretrain(prepared, tmp_path)


def test_only_rank_0_has_the_encoder_in_host_memory_at_the_end(prepared, tmp_path, monkeypatch):
    """Its average, too: 2.4 GB each at 600 million parameters."""
    job = Pretraining(encoder_slice(), prepared / "records.parquet", prepared / "preprocess", tmp_path)
    asked = []
    job.ema = SimpleNamespace(state_dict=lambda: pytest.fail("another rank took the average"))
    monkeypatch.setattr(pretraining, "full_state_dict", lambda *_, everywhere: asked.append(everywhere))
    monkeypatch.setattr(pretraining.distributed, "is_main", lambda: False)
    job._export(None, None, None)
    assert asked == [False]


def objective_of(config):
    return MaskedCodes(build_encoder(config, 0), config.config.pretrain)


def test_fixed_validation_gives_equal_terms_and_restores_training(prepared, tmp_path):
    seen = []

    class Engine(torch.nn.Module):
        device = torch.device("cpu")
        module = property(lambda self: self.objective)

        def __init__(self):
            super().__init__()
            self.objective = objective_of(encoder_slice())

        def forward(self, x, *, noise, step, mask):
            assert mask is None
            assert noise.gumbel_sv is None
            assert not self.training
            assert not torch.is_grad_enabled()
            seen.append((noise.mask_bt.tolist(), noise.negatives_bmk.tolist(), float(x.double().sum())))
            return dict.fromkeys(("loss", *MaskedCodes.columns), x.mean())

    job = Pretraining(encoder_slice(), prepared / "records.parquet", prepared / "preprocess", tmp_path)
    engine = Engine()
    first = loop.validate(engine, job.valid, 6, job.config)
    assert engine.training
    torch.manual_seed(99)
    assert loop.validate(engine, job.valid, 12, job.config) == first
    assert len(seen) == 4
    assert seen[:2] == seen[2:]
    assert all(first != second for first, second in zip(seen[0], seen[1], strict=True))


def test_short_recordings_are_used_with_a_mask_where_the_config_says_so(prepared, tmp_path):
    masks = []
    config = encoder_slice(crop_seconds=4.0, min_seconds=3.0)

    class Engine(torch.nn.Module):
        device = torch.device("cpu")
        module = objective_of(config).eval()

        def forward(self, x, *, mask, noise, **_):
            assert x.shape == (8, 3, 400)
            assert not noise.mask_bt[:, 37:].any()  # 300 samples, by 4, by 2
            assert noise.hidden_b.tolist() == [hidden_frames(50, config.config.pretrain.mask) * 37 // 50] * 8
            masks.append(mask)
            return dict.fromkeys(("loss", *MaskedCodes.columns), x.mean())

    job = Pretraining(config, prepared / "records.parquet", prepared / "preprocess", tmp_path)
    loop.validate(Engine(), job.valid, 6, job.config)
    assert [mask.sum(dim=1).tolist() for mask in masks] == [[300] * 8] * 2  # recordings of 3 s
    assert pretrain(prepared, tmp_path / "run", crop_seconds=4.0, min_seconds=3.0, steps=2) == 0
    with pytest.raises(UserError, match="such a crop has 2 frames; masking needs 3"):
        pretrain(prepared, tmp_path / "tiny", min_seconds=0.2)
    with pytest.raises(UserError, match="min_seconds 3.0 is more than crop_seconds 2.0"):
        parse(PretrainConfig, {"steps": 1, "crop_seconds": 2.0, "min_seconds": 3.0}, "tiny.yaml")


def test_pairs_are_chosen_as_the_config_says(prepared, tmp_path):
    def job(**options):
        return Pretraining(encoder_slice(**options), prepared / "records.parquet", prepared / "preprocess", tmp_path)

    assert len(job(min_recordings=2).train.sampler) == 32
    with pytest.raises(UserError, match="0 patients make pairs"):
        job(min_recordings=3)
    neighbours = [job(shuffle_block=4).train.order.patients(0, index, range(1))[0] // 4 for index in range(8)]
    assert len(set(neighbours)) <= 3  # 8 batches of an epoch: the first slot reads block after block


def test_leads_that_a_record_lacks_are_never_the_only_ones_left(prepared, tmp_path):
    records = pd.read_parquet(prepared / "records.parquet")
    records.assign(lead_mask=[1 << 1, 1 << 6 | 1] * 40).to_parquet(tmp_path / "records.parquet")  # II; I and V1
    config = encoder_slice(lead_mask_probability=0.9)
    batches = Pretraining(config, tmp_path / "records.parquet", prepared / "preprocess", tmp_path).train
    recorded = np.array([[False, True, False], [True, False, True]] * 40)
    np.testing.assert_array_equal(batches.recorded, recorded)
    for forward in range(8):
        crops = batches.crops(forward)
        assert (crops.lead_mask & recorded[crops.rows]).any(axis=1).all()
    records.drop(columns="lead_mask").to_parquet(tmp_path / "old.parquet")
    with pytest.raises(UserError, match="old.parquet: column 'lead_mask' is missing"):
        Pretraining(config, tmp_path / "old.parquet", prepared / "preprocess", tmp_path)


def test_block_shuffle_resumes_bit_for_bit(prepared, tmp_path):
    options = {"shuffle_block": 4, "steps": 6, "checkpoint_every": {"steps": 2}}
    assert pretrain(prepared, tmp_path / "calm", **options) == 0
    assert pretrain(prepared, tmp_path / "stopped", stop=StopAfter(3), **options) == 75
    assert pretrain(prepared, tmp_path / "stopped", **options) == 0
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")


def test_a_diverging_training_stops_and_keeps_the_last_good_checkpoint(prepared, tmp_path):
    pretrain(prepared, tmp_path, steps=4)
    with pytest.raises(UserError, match="not finite"):
        pretrain(prepared, tmp_path, steps=40, lr=1e30, checkpoint_every={"steps": 30})
    assert (tmp_path / "checkpoints.set-aside-1" / "step-00000004").is_dir()
    assert not list((tmp_path / "checkpoints").glob("step-*"))
    assert not (tmp_path / "checkpoints.lock").exists()


def command(prepared, output, **options):
    output.mkdir(parents=True, exist_ok=True)
    config = output / "config.yaml"
    config.write_text(yaml.safe_dump(encoder_slice(**options).model_dump(mode="json")))
    return [
        str(warm.shims() / "python"), "-m", "ecglfm", "pretrain", f"--config={config}", f"--manifest={prepared / 'records.parquet'}",
        f"--signals={prepared / 'preprocess'}", f"--output={output}", "--threads=1",
    ]  # fmt: skip


def wait_for(path, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.slow
def test_two_processes_share_the_work_and_resume_after_a_signal(prepared, tmp_path):
    options = {"processes": 2, "zero_stage": 1, "steps": 50, "checkpoint_every": {"steps": 10}}
    with subprocess.Popen(command(prepared, tmp_path, **options), stderr=subprocess.PIPE, text=True) as process:
        wait_for(tmp_path / "checkpoints" / "step-00000010", process)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 75, process.stderr.read()
    again = subprocess.run(command(prepared, tmp_path, **options), capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert "resumed from step" in again.stderr
    training = json.loads((tmp_path / "encoder.json").read_text())["training"]
    assert (training["processes"], training["pairs_per_update"]) == (2, 8)
    assert all(torch.isfinite(value).all() for value in load_encoder(tmp_path).state_dict().values())
