"""A pretraining that goes on with imported weights: it begins with these, bit for bit, and says where they are from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from ecglfm.config import EncoderSlice, UserError
from ecglfm.config.encoders.imported import content_hash
from ecglfm.data.loading import on_device
from ecglfm.models.bundle import load_encoder
from ecglfm.models.pretraining import make_objective
from ecglfm.models.seen import fingerprints, read_seen, write_seen
from ecglfm.training.checkpoints import config_hash
from ecglfm.training.engine import initialize
from ecglfm.training.pretraining import pretrain as pretraining
from ecglfm.training.pretraining.encoders import all_seen, build_encoder, with_base
from ecglfm.training.pretraining.pretrain import Pretraining
from ecglfm.training.pretraining.upcoming import NOISE
from ecglfm.training.schedule import seed_of
from tests.unit.training.pretraining.small_pretraining import StopAfter, encoder_slice, history, pretrain, weights
from tests.unit.training.pretraining.test_cpc_training import cpc_slice

SHORT = {"steps": 4, "log_every": 1, "validate_every": 4, "checkpoint_every": {"steps": 2}}


def going_on(slice_: EncoderSlice, path: Path, **pretrain: Any) -> EncoderSlice:
    """The same training, but from the weights in a folder."""
    content = slice_.model_dump()
    content["config"] |= {"weights": "import", "path": str(path), "pretrain": content["config"]["pretrain"] | pretrain}
    return EncoderSlice.model_validate(content)


@pytest.fixture(scope="module")
def base(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("elsewhere") / "base"
    assert pretrain(prepared, output, **SHORT, ema=0.5) == 0
    return output


@pytest.fixture(scope="module")
def continued(prepared: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("here") / "continued"
    assert pretrain(prepared, output, slice_=going_on(encoder_slice(**SHORT), base, seed=7)) == 0
    return output


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("kind", ["masked_codes", "cpc"])
def test_it_begins_with_the_imported_weights_bit_for_bit(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    slice_ = cpc_slice() if kind == "cpc" else encoder_slice(**SHORT)
    assert pretrain(prepared, tmp_path / "base", slice_=slice_) == 0
    begun = []

    def noted(objective: torch.nn.Module, *args: Any) -> Any:
        begun.append({name: value.clone() for name, value in objective.encoder.state_dict().items()})
        return initialize(objective, *args)

    monkeypatch.setattr(pretraining, "initialize", noted)
    assert pretrain(prepared, tmp_path / "on", slice_=going_on(slice_, tmp_path / "base")) == 0
    imported = load_encoder(tmp_path / "base").state_dict()
    assert same(begun[0], imported)  # running statistics of BatchNorm, too
    assert not same(begun[0], build_encoder(slice_, 3).state_dict())
    assert not same(load_encoder(tmp_path / "on").state_dict(), imported)
    assert weights(tmp_path / "on") != weights(tmp_path / "base")


def test_its_first_loss_is_that_of_the_imported_encoder_under_new_heads(
    prepared: Path, base: Path, continued: Path
) -> None:
    slice_ = going_on(encoder_slice(**SHORT), base, seed=7)
    job = Pretraining(slice_, prepared / "records.parquet", prepared / "preprocess", continued)

    def first_loss(given: torch.nn.Module | None) -> float:
        encoder = build_encoder(slice_, 7)  # after which the heads are drawn
        objective = make_objective(encoder if given is None else given, job.config).train()
        seed, batch = seed_of(7, NOISE, 0), job.train[0]
        (noise,) = objective.draw([batch], seed, objective.prepare([batch], seed))
        x, mask = on_device(batch, torch.device("cpu"))
        torch.manual_seed(seed_of(7, 1, 0, 0, 0))  # of dropout
        return float(objective(x, step=0, noise=noise, mask=mask)["loss"].detach())

    begun, scratch = first_loss(load_encoder(base)), first_loss(None)
    assert history(continued)["loss"].iloc[0] == pytest.approx(begun, rel=1e-6)
    assert abs(scratch - begun) > 1e-3


def test_what_it_writes_says_both(prepared: Path, base: Path, continued: Path) -> None:
    theirs, ours = (json.loads((folder / "encoder.json").read_text()) for folder in (base, continued))
    assert (ours["weights"], ours["training"]["steps"], ours["pretrain"]["seed"]) == ("pretrain", 4, 7)
    kept = ("name", "weights", "code", "config_hash", "data_hash", "pretrain", "training")
    assert ours["continues"] == {key: theirs[key] for key in kept} | {"sha256": content_hash(base, "encoder", {})}
    assert ours["config_hash"] != theirs["config_hash"]
    records = pd.read_parquet(prepared / "records.parquet")
    seen = fingerprints(records["sha256"]).tolist()
    found = read_seen(continued)
    assert {name: (of, prints.tolist()) for name, (of, prints) in found.items()} == {
        "pretraining": (ours["data_hash"], seen), "before": (theirs["data_hash"], seen),
    }  # fmt: skip
    assert "before" not in read_seen(base)


def test_stopped_by_a_signal_it_resumes_bit_for_bit_wherever_the_imported_folder_lies(
    prepared: Path, base: Path, continued: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    slice_ = going_on(encoder_slice(**SHORT), base, seed=7)
    assert pretrain(prepared, tmp_path / "on", StopAfter(3), slice_) == 75
    assert f"goes on with the weights in {base}; what only the objective has (quantizer, heads)" in caplog.text
    shutil.copytree(base, tmp_path / "copy")
    moved = going_on(encoder_slice(**SHORT), tmp_path / "copy", seed=7)
    caplog.clear()
    assert pretrain(prepared, tmp_path / "on", slice_=moved) == 0
    assert "resumed from step 3 of 4" in caplog.text
    assert "goes on with the weights" not in caplog.text
    assert weights(tmp_path / "on") == weights(continued)
    pd.testing.assert_frame_equal(history(tmp_path / "on"), history(continued))


def test_another_imported_folder_is_another_training(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "other")
    slices = [with_base(going_on(encoder_slice(**SHORT), path))[0] for path in (base, tmp_path / "other")]
    assert config_hash(slices[0]) == config_hash(slices[1])
    content = json.loads((tmp_path / "other/encoder.json").read_text())
    (tmp_path / "other/encoder.json").write_text(json.dumps(content | {"name": "edited"}))
    edited, _ = with_base(going_on(encoder_slice(**SHORT), tmp_path / "other"))
    assert config_hash(edited) != config_hash(slices[0])
    assert with_base(encoder_slice(**SHORT)) == (encoder_slice(**SHORT), None)


def test_a_missing_or_misfit_folder_is_one_line_before_it_begins(prepared: Path, base: Path, tmp_path: Path) -> None:
    slice_ = going_on(encoder_slice(**SHORT), tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"tiny: path: \S+nowhere holds no encoder\.json; give a folder"):
        pretrain(prepared, tmp_path / "out", slice_=slice_)
    content = going_on(encoder_slice(**SHORT), base).model_dump()
    content["config"]["model"]["kernel"] = 5
    with pytest.raises(UserError, match="base: its kernel is 3, this project's is 5; make them agree, or leave"):
        pretrain(prepared, tmp_path / "out", slice_=EncoderSlice.model_validate(content))
    assert not (tmp_path / "out").exists()


def test_what_both_saw_counts_as_one_within_a_project(tmp_path: Path) -> None:
    prints = {name: fingerprints([f"{number:064x}"[::-1]]) for name, number in (("own", 1), ("base", 2), ("old", 3))}
    folder = tmp_path / "results/pretrain/base"
    folder.mkdir(parents=True)
    write_seen(folder, {"pretraining": ("b", prints["base"]), "before": ("o", prints["old"])})

    def found(output: Path, weights: str = "pretrain") -> dict[str, Any]:
        (folder / "encoder.json").write_text(json.dumps({"weights": weights}))
        seen = all_seen(("h", prints["own"]), str(folder), output)
        return {name: (of, sorted(values.tolist())) for name, (of, values) in seen.items()}

    own, base, old = (int(prints[name][0]) for name in ("own", "base", "old"))
    assert found(tmp_path / "results/pretrain/new") == {
        "pretraining": ("h", sorted([own, base])),
        "before": ("o", [old]),
    }
    assert found(tmp_path / "other/pretrain/new") == {"pretraining": ("h", [own]), "before": ("b", sorted([base, old]))}
    assert found(tmp_path / "results/pretrain/new", "import") == found(tmp_path / "other/pretrain/new")  # but a copy
    assert list(all_seen(("h", prints["own"]), None, tmp_path)) == ["pretraining"]
