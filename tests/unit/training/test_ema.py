"""The moving average of weights by hand; through a training it is what is written, and resumes bit for bit."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ecglfm.config import PretrainConfig, UserError, parse
from ecglfm.training.ema import EMA
from ecglfm.training.pretraining import loop
from ecglfm.training.pretraining.encoders import build_encoder
from tests.unit.training.pretraining.small_pretraining import StopAfter, encoder_slice, pretrain, weights


def test_average_by_hand():
    module = nn.BatchNorm1d(1)
    with torch.no_grad():
        module.weight.fill_(8.0)
    average = EMA(module, decay=0.5)
    for step, (weight, mean) in enumerate([(4.0, 1.0), (0.0, 2.0), (16.0, 3.0)], 1):
        with torch.no_grad():
            module.weight.fill_(weight)
        module.running_mean.fill_(mean)
        module.num_batches_tracked.fill_(step)
        average.update(step)
    # decays 2/11, 3/12, 4/13
    weight = ((8 * 2 / 11 + 4 * 9 / 11) * 3 / 12 + 0) * 4 / 13 + 16 * 9 / 13
    mean = ((1 * 9 / 11) * 3 / 12 + 2 * 9 / 12) * 4 / 13 + 3 * 9 / 13
    state = average.state_dict()
    assert state["weight"].item() == pytest.approx(weight, rel=1e-6)
    assert state["running_mean"].item() == pytest.approx(mean, rel=1e-6)
    assert state["num_batches_tracked"].item() == 3
    assert module.weight.item() == 16.0
    average.update(1000)  # now 0.5 is the smaller
    assert state["weight"].item() == pytest.approx(0.5 * weight + 8.0, rel=1e-6)


def test_average_of_half_precision_weights_is_float32():
    module = nn.Linear(1, 1).half()
    average = EMA(module, decay=0.999)
    average.update(1)
    assert {value.dtype for value in average.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("stage", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_written_encoder_is_the_average_after_each_update(prepared, tmp_path, monkeypatch, stage):
    seen = []
    update = loop.update

    def watched(engine, *args):
        done = update(engine, *args)
        state = loop.unwrap(engine).encoder.state_dict()
        seen.append({name: value.clone().double() for name, value in state.items()})
        return done

    monkeypatch.setattr(loop, "update", watched)
    pretrain(prepared, tmp_path, steps=6, ema=0.4, zero_stage=stage)
    expected = {name: value.double() for name, value in build_encoder(encoder_slice(), 3).state_dict().items()}
    for step, state in enumerate(seen, 1):
        decay = min(0.4, (1 + step) / (10 + step))
        expected = {name: decay * value + (1 - decay) * state[name] for name, value in expected.items()}
    written = load_file(tmp_path / "encoder.safetensors")
    for name, value in written.items():
        if "num_batches" not in name:
            torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-7, msg=name)
    assert any(not torch.allclose(value.double(), seen[-1][name], atol=1e-4) for name, value in written.items())
    assert json.loads((tmp_path / "encoder.json").read_text())["training"]["ema"] == 0.4


def test_a_training_with_an_average_resumes_bit_for_bit(prepared, tmp_path):
    options = {"ema": 0.9, "steps": 8}
    pretrain(prepared, tmp_path / "calm", **options)
    assert pretrain(prepared, tmp_path / "stopped", stop=StopAfter(5), **options) == 75
    pretrain(prepared, tmp_path / "stopped", **options)
    pretrain(prepared, tmp_path / "without", steps=8)
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm") != weights(tmp_path / "without")


def test_an_average_of_cut_up_weights_is_refused():
    with pytest.raises(
        UserError, match=r"tiny.yaml: .*ema needs whole weights on every process: use zero_stage 0, 1 or 2"
    ):
        parse(PretrainConfig, {"steps": 1, "ema": 0.9, "zero_stage": 3}, "tiny.yaml")
