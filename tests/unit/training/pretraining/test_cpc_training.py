"""A pretraining by CPC on the S4 encoder: it resumes bit for bit, and two ranks do what one process does."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import EncoderSlice
from ecglfm.models.bundle import load_encoder
from tests.unit.training.pretraining.small_pretraining import (
    StopAfter,
    encoder_slice,
    history,
    pretrain,
    two_ranks,
    weights,
)


def cpc_slice(**pretrain) -> EncoderSlice:
    content = encoder_slice(steps=4, log_every=1, validate_every=4, checkpoint_every={"steps": 2}).model_dump()
    content["config"]["model"] = {
        "kind": "s4", "layers": 2, "dim": 16, "state": 4, "conv_layers": [[3, 2], [1, 1]], "norm_sync": True,
        "dropout": pretrain.pop("dropout", 0.0),
    }  # fmt: skip
    del content["config"]["pretrain"]["mask"], content["config"]["pretrain"]["quantizer"]
    objective = {"kind": "cpc", "ahead": [2, 5], "anchors": 8, "negatives": 7}
    content["config"]["pretrain"] |= {"objective": objective} | pretrain
    return EncoderSlice.model_validate(content)


def test_stopped_by_a_signal_it_resumes_bit_for_bit(prepared: Path, tmp_path: Path) -> None:
    slice_ = cpc_slice(dropout=0.2)
    assert pretrain(prepared, tmp_path / "calm", slice_=slice_) == 0
    assert pretrain(prepared, tmp_path / "stopped", StopAfter(3), slice_) == 75
    assert pretrain(prepared, tmp_path / "stopped", slice_=slice_) == 0
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")
    pd.testing.assert_frame_equal(history(tmp_path / "stopped"), history(tmp_path / "calm"))
    course = history(tmp_path / "calm")
    assert list(course.columns[4:8]) == ["loss", "accuracy", "spread", "grad_norm"]
    assert course["split"].tolist() == ["train"] * 4 + ["valid"]
    assert load_encoder(tmp_path / "calm").info["training"]["warnings"] == []


RANK = """
from tests.unit.training.pretraining.test_cpc_training import cpc_slice
sys.exit(pretrain(Path({prepared!r}), Path({output!r}), slice_=cpc_slice(batch_size=2)))
"""


@pytest.mark.slow
def test_two_ranks_do_what_one_process_does(prepared: Path, tmp_path: Path) -> None:
    code = RANK.format(prepared=str(prepared), output=str(tmp_path / "two"))
    statuses, said = two_ranks(code, tmp_path / "store")
    assert statuses == [0, 0], said
    assert pretrain(prepared, tmp_path / "one", slice_=cpc_slice()) == 0
    one, two = (history(tmp_path / name).query("split == 'train'") for name in ("one", "two"))
    for column in ("loss", "spread", "grad_norm"):
        assert two[column].tolist() == pytest.approx(one[column].tolist(), rel=2e-4), column
    assert two["accuracy"].tolist() == pytest.approx(one["accuracy"].tolist(), abs=0.02)
