"""Pretrainings of transformers on patches: they resume bit for bit, and ranks and forwards do what one process does at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from ecglfm.config import EncoderSlice
from ecglfm.models.bundle import load_encoder
from ecglfm.training.pretraining.encoders import build_encoder
from tests.unit.training.pretraining.small_pretraining import (
    StopAfter,
    encoder_slice,
    history,
    pretrain,
    two_ranks,
    weights,
)

COLUMNS = {
    "jepa": ["explained", "spread", "momentum"], "mae": ["explained", "spread"],
    "statistics": ["explained", "explained_beat", "spread"],
}  # fmt: skip


def patch_slice(kind: str, **pretrain) -> EncoderSlice:
    content = encoder_slice(steps=4, log_every=1, validate_every=4, checkpoint_every={"steps": 2}).model_dump()
    content["config"]["model"] = {
        "kind": "vit", "layers": 2, "dim": 16, "ffn_dim": 32, "heads": 2, "patch": 20,
        "dropout": pretrain.pop("dropout", 0.0),
    }  # fmt: skip
    del content["config"]["pretrain"]["mask"], content["config"]["pretrain"]["quantizer"]
    objective = {"kind": kind} | ({} if kind == "statistics" else {"hidden": {"length": 3, "leads": 2}})
    objective |= {"jepa": {"momentum": [0.5, 0.9, 4]}, "mae": {"normalize": True}}.get(kind, {})
    content["config"]["pretrain"] |= {"objective": objective} | pretrain
    return EncoderSlice.model_validate(content)


@pytest.mark.parametrize(("kind", "shortest"), [("jepa", 1.0), ("mae", 1.0), ("statistics", 2.0)])
def test_stopped_by_a_signal_it_resumes_bit_for_bit(prepared: Path, tmp_path: Path, kind: str, shortest: float) -> None:
    slice_ = patch_slice(kind, dropout=0.2, min_seconds=shortest, crop_seconds=2.5)
    assert pretrain(prepared, tmp_path / "calm", slice_=slice_) == 0
    assert pretrain(prepared, tmp_path / "stopped", StopAfter(3), slice_) == 75
    assert pretrain(prepared, tmp_path / "stopped", slice_=slice_) == 0
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")
    pd.testing.assert_frame_equal(history(tmp_path / "stopped"), history(tmp_path / "calm"))
    course = history(tmp_path / "calm")
    assert list(course.columns[4:-2]) == ["loss", *COLUMNS[kind]]
    assert course["split"].tolist() == ["train"] * 4 + ["valid"]
    assert load_encoder(tmp_path / "calm").info["training"]["warnings"] == []


def test_what_is_written_is_the_average(prepared: Path, tmp_path: Path) -> None:
    """It follows the weights before an update: after two it has those after the first, and half of those before."""
    slice_ = patch_slice("jepa", steps=2, objective={"kind": "jepa", "momentum": [0.5, 0.5, 1]})
    assert pretrain(prepared, tmp_path / "two", slice_=slice_) == 0
    written, before = load_encoder(tmp_path / "two").state_dict(), build_encoder(slice_, 3).state_dict()
    moved = {name: float((value - before[name]).abs().max()) for name, value in written.items()}
    assert max(moved.values()) == pytest.approx(5e-4, rel=0.05)  # half of a first step of Adam, at a rate of 1e-3


@pytest.mark.parametrize("kind", ["jepa", "mae"])
@pytest.mark.parametrize("changes", [{"accumulate": 2, "batch_size": 2}, {"zero_stage": 1}, {"zero_stage": 2},
                                     {"activation_checkpointing": True}])  # fmt: skip
def test_it_does_not_depend_on_how_an_update_is_carried_out(prepared: Path, tmp_path: Path, kind, changes) -> None:
    assert pretrain(prepared, tmp_path / "plain", slice_=patch_slice(kind, steps=2)) == 0
    assert pretrain(prepared, tmp_path / "other", slice_=patch_slice(kind, steps=2, **changes)) == 0
    one, other = (history(tmp_path / name).query("split == 'train'") for name in ("plain", "other"))
    for column in ("loss", "grad_norm"):
        assert other[column].tolist() == pytest.approx(one[column].tolist(), rel=1e-4), column
    one, other = (load_encoder(tmp_path / name).state_dict() for name in ("plain", "other"))
    for name, value in one.items():
        if not name.endswith("k_proj.bias"):  # whose gradient is rounding, and Adam makes a step of it
            torch.testing.assert_close(other[name], value, atol=2e-5, rtol=0)


def test_weights_that_are_cut_up_are_whole_where_they_are_used(prepared: Path, tmp_path: Path) -> None:
    """ZeRO 3 gathers what a module has while it is called: positions, vectors of leads and separators, too."""
    content = patch_slice("mae", steps=2).model_dump()
    content["config"]["model"] |= {"positions": "learnt", "lead_vectors": True, "separators": True, "norm": "mean"}
    for stage in (0, 3):
        content["config"]["pretrain"]["zero_stage"] = stage
        assert pretrain(prepared, tmp_path / str(stage), slice_=EncoderSlice.model_validate(content)) == 0
        assert load_encoder(tmp_path / str(stage)).info["training"]["warnings"] == []  # every layer has its gradient
    one, other = (load_encoder(tmp_path / name).state_dict() for name in ("0", "3"))
    for name, value in one.items():
        if not name.endswith("k_proj.bias"):
            torch.testing.assert_close(other[name], value, atol=2e-5, rtol=0)


RANK = """
from tests.unit.training.pretraining.test_patch_training import patch_slice
sys.exit(max(pretrain(Path({prepared!r}), Path({output!r}) / kind, slice_=patch_slice(kind, batch_size=2))
             for kind in ("jepa", "mae", "statistics")))
"""


@pytest.mark.slow
def test_two_ranks_do_what_one_process_does(prepared: Path, tmp_path: Path) -> None:
    code = RANK.format(prepared=str(prepared), output=str(tmp_path / "two"))
    statuses, said = two_ranks(code, tmp_path / "store")
    assert statuses == [0, 0], said
    for kind, columns in COLUMNS.items():
        assert pretrain(prepared, tmp_path / "one" / kind, slice_=patch_slice(kind)) == 0
        one, two = (history(tmp_path / name / kind).query("split == 'train'") for name in ("one", "two"))
        for column in ("loss", "grad_norm", *columns):
            assert two[column].tolist() == pytest.approx(one[column].tolist(), rel=2e-4), (kind, column)
