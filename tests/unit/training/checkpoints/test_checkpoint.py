"""Whole checkpoints only, of this training only: each fault is planted."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
import torch
from safetensors.torch import load_file

from ecglfm.config import EncoderSlice, PretrainConfig, UserError, parse
from ecglfm.training.checkpoints.checkpoint import Checkpoints, config_hash
from ecglfm.training.checkpoints.pieces import Piece
from ecglfm.training.checkpoints.saver import Saver

FILE = "rank-00000.safetensors"


def pieces(value):
    return [Piece("weight", "a", 0, torch.tensor([value, 2.0]))]


def save(checkpoints, step):
    """A whole checkpoint."""
    saver = Saver(checkpoints)
    saver.save(pieces(float(step)), step, {"of": step})
    saver.finish()


def loaded(checkpoints, step):
    """Value and state of a checkpoint."""
    saved, state = checkpoints.load(step)
    value = torch.empty(2)
    saved.read("weight", "a", 0, value)
    return value.tolist(), state


def folder_of(path, *, config="c", data="d", keep_last=0, keep_every=0, pairs=64):
    return Checkpoints(
        path / "checkpoints", config_hash=config, data_hash=data, keep_last=keep_last, keep_every=keep_every,
        pairs_per_update=pairs,
    )  # fmt: skip


@pytest.fixture
def checkpoints(tmp_path):
    made = folder_of(tmp_path)
    made.open_run(1000)
    for step in (10, 20, 30):
        save(made, step)
    return made


def test_the_newest_is_loaded(checkpoints):
    assert checkpoints.newest() == 30
    assert loaded(checkpoints, 20) == ([20.0, 2.0], {"of": 20})
    folder = checkpoints.path(30)
    assert {name: value.tolist() for name, value in load_file(folder / FILE).items()} == {"weight/a@0": [30.0, 2.0]}
    manifest = json.loads((folder / "manifest.json").read_text())
    content = (folder / FILE).read_bytes()
    assert manifest["files"][FILE] == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert sorted(manifest["files"]) == [FILE, "state.json"]
    assert (manifest["step"], manifest["world_size"], manifest["config_hash"]) == (30, 1, "c")


def truncate(folder):
    os.truncate(folder / FILE, 5)


def flip(folder):
    """One bit of the last number."""
    content = bytearray((folder / FILE).read_bytes())
    content[-1] ^= 1
    (folder / FILE).write_bytes(content)


def remove(folder):
    (folder / FILE).unlink()


def add(folder):
    (folder / "rank-00001.safetensors").write_text("evil")


def no_manifest(folder):
    (folder / "manifest.json").unlink()


def torn_manifest(folder):
    (folder / "manifest.json").write_text('{"step": 3')


def link(folder):
    (folder / FILE).rename(folder / "copy")
    (folder / FILE).symlink_to("copy")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncate, "rank-00000.safetensors has 5 bytes instead of "),
        (flip, "rank-00000.safetensors does not have the SHA-256"),
        (remove, "rank-00000.safetensors is missing"),
        (add, "rank-00001.safetensors is not in its manifest"),
        (no_manifest, "manifest.json is missing"),
        (torn_manifest, "manifest.json is missing or not readable"),
        (link, "is not in its manifest"),
    ],
)
def test_a_damaged_one_is_named_and_skipped(checkpoints, caplog, damage, reason):
    damage(checkpoints.path(30))
    assert checkpoints.newest() == 20
    assert "step-00000030 is skipped" in caplog.text
    assert reason in caplog.text
    save(checkpoints, 30)  # and is replaced when training comes there again
    assert checkpoints.newest() == 30


@pytest.mark.parametrize("name", [".nfs00000000a1b2c3d4", ".DS_Store", "._state.json"])
def test_what_file_systems_leave_does_not_damage_one(checkpoints, caplog, name):
    (checkpoints.path(30) / name).write_text("?")
    assert checkpoints.newest() == 30
    checkpoints.load(30)
    assert not caplog.text


def test_all_damaged_means_step_0(checkpoints):
    for step in checkpoints.steps():
        truncate(checkpoints.path(step))
    assert checkpoints.newest() == 0


def test_an_unfinished_save_is_cleared(checkpoints):
    (checkpoints.folder / ".saving-00000040").mkdir()
    (checkpoints.folder / ".saving-00000040" / FILE).write_text("half")
    checkpoints.open_run(1000)
    assert not list(checkpoints.folder.glob(".saving*"))
    assert checkpoints.newest() == 30


@pytest.mark.parametrize(("keep_last", "left"), [(0, [10, 20, 30]), (1, [30]), (2, [20, 30])])
def test_the_last_are_kept(tmp_path, keep_last, left):
    made = folder_of(tmp_path, keep_last=keep_last)
    for step in (10, 20, 30):
        save(made, step)
    assert made.steps() == left


def test_those_at_multiples_are_kept_besides(tmp_path):
    made = folder_of(tmp_path, keep_last=2, keep_every=30)
    for step in (10, 20, 30, 40, 45, 50, 60, 70, 80):
        save(made, step)
    assert made.steps() == [30, 60, 70, 80]


@pytest.mark.parametrize(
    ("every", "kept", "fits"),
    [({"steps": 10}, {"steps": 30}, True), ({"steps": 10}, {"steps": 15}, False),
     ({"epochs": 2}, {"epochs": 3}, False), ({"steps": 10}, {"epochs": 3}, True)],
)  # fmt: skip
def test_what_is_kept_must_be_saved(every, kept, fits):
    content = {"steps": 100, "checkpoint_every": every, "keep_every": kept}
    if fits:
        parse(PretrainConfig, content, "tiny.yaml")
        return
    with pytest.raises(
        UserError, match=r"tiny.yaml: .*keep_every \d+ (steps|epochs) is no multiple of checkpoint_every"
    ):
        parse(PretrainConfig, content, "tiny.yaml")


@pytest.mark.parametrize("other", [{"config": "x"}, {"data": "x"}])
def test_the_state_of_another_training_is_set_aside(tmp_path, checkpoints, caplog, other):
    for number in (1, 2):
        another = folder_of(tmp_path, **other)
        assert another.open_run(1000) == {}
        assert another.steps() == []
        assert len(list((tmp_path / f"checkpoints.set-aside-{number}").glob("step-*"))) in (3, 1)
        save(another, 5)
        other = {key: value + "x" for key, value in other.items()}
    assert "another training" in caplog.text
    assert "training starts at step 0" in caplog.text


def test_another_global_batch_is_another_training(tmp_path, checkpoints, caplog):
    another = folder_of(tmp_path, pairs=128)  # say, two processes instead of one
    another.open_run(1000)
    assert another.steps() == []
    assert "pairs_per_update has changed" in caplog.text


def test_a_planted_checkpoint_of_another_training_is_set_aside(tmp_path, checkpoints):
    path = checkpoints.path(20) / "manifest.json"
    path.write_text(path.read_text().replace('"config_hash": "c"', '"config_hash": "other"'))
    checkpoints.open_run(1000)
    assert checkpoints.steps() == []
    assert (tmp_path / "checkpoints.set-aside-1" / "step-00000020").exists()


def test_the_same_training_goes_on_and_a_shorter_one_begins_anew(tmp_path, checkpoints):
    checkpoints.note({"mlflow_run_id": "abc"})
    assert folder_of(tmp_path).open_run(30)["mlflow_run_id"] == "abc"
    assert folder_of(tmp_path).newest() == 30
    assert folder_of(tmp_path).open_run(29) == {}
    assert folder_of(tmp_path).newest() == 0


def encoder_slice(**pretrain):
    model = {"layers": 2, "dim": 16, "ffn_dim": 32, "heads": 2}
    content = {"model": model, "pretrain": {"steps": 10} | pretrain}
    return EncoderSlice.model_validate({"encoder": "e", "config": content, "preprocess": {}})


def test_only_what_determines_the_weights_is_in_the_hash():
    first = config_hash(encoder_slice())
    same = encoder_slice(
        steps=20, num_workers=3, keep_last=0, keep_every={"steps": 5000}, validate_every=7, log_every=3, processes=2,
        batch_size=8, accumulate=8, zero_stage=2,  # the size of the global batch is in the identity, see above
    )  # fmt: skip
    assert config_hash(same.model_copy(update={"encoder": "another name"})) == first
    for change in ({"lr": 1e-3}, {"seed": 1}, {"precision": "bf16"}, {"mask": {"length": 5}}):
        assert config_hash(encoder_slice(**change)) != first
