"""What fp16's loss scaler leaves out is no fault; gradients that are not finite at the smallest scale are one."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ecglfm import distributed
from ecglfm.config import FinetuneConfig, UserError
from ecglfm.training.engine import full_state_dict, initialize
from ecglfm.training.loss_scale import is_lowest, make_update
from tests.unit.training.pretraining.small_pretraining import history, pretrain
from tests.unit.training.pretraining.test_watchdog import SKIP, Faults

STAGES = [0, 2, pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]


@pytest.mark.parametrize("stage", [0, 2])
def test_the_scale_is_not_in_the_update(fp16_on_a_processor, stage):
    """Of a gradient of 0.001 Adam makes a step of the rate, 0.5; of one that is 2^16 times smaller a hundredth of it."""
    distributed.init()
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    engine = initialize(layer, FinetuneConfig(lr=0.5, weight_decay=0.0, precision="fp16", zero_stage=stage))
    engine.backward(engine(torch.full((1, 1), 0.016)).float().sum() / 16)
    assert make_update(engine) is False
    assert full_state_dict(engine, layer)["weight"].item() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("non_finite", ["stop", "skip"])
def test_the_search_for_a_scale_is_no_fault(prepared, tmp_path, fp16_on_a_processor, stage, non_finite):
    """2^30 times a gradient is beyond 65504; three skipped in a row would stop the training."""
    scale = {"fp16": {"initial_scale_power": 30, "hysteresis": 1}}
    options = {"steps": 20, "zero_stage": stage, "precision": "fp16", "deepspeed": scale, "validate_every": 100}
    assert pretrain(prepared, tmp_path, **SKIP | options | {"non_finite": non_finite}) == 0
    train = history(tmp_path).query("split == 'train'")
    left_out = train["grad_norm"].isna().to_numpy()
    assert 4 <= left_out.sum() <= 18
    assert (np.flatnonzero(left_out) == np.arange(left_out.sum())).all()  # at the start, and no more
    assert (train["skipped"] == 0).all()
    training = json.loads((tmp_path / "encoder.json").read_text())["training"]
    assert (training["skipped_updates"], training["warnings"]) == (0, [])


@pytest.mark.parametrize("stage", STAGES)
def test_what_no_scale_mends_is_told(prepared, tmp_path, monkeypatch, fp16_on_a_processor, stage):
    """From 4 the scale falls to 2 and 1 in two updates; the third is the first fault."""
    Faults("gradient", set(range(1, 10))).install(monkeypatch)
    scale = {"fp16": {"initial_scale_power": 2, "hysteresis": 1}}
    options = SKIP | {"steps": 9, "zero_stage": stage, "precision": "fp16", "deepspeed": scale}
    with pytest.raises(UserError, match=r"the gradient is not finite at step 3 \(in fp16, whose loss scale cannot be"):
        pretrain(prepared, tmp_path / "stop", **options | {"non_finite": "stop"})
    with pytest.raises(UserError, match="3 updates in a row were skipped, the last at step 5: the gradient is not"):
        pretrain(prepared, tmp_path / "skip", **options)


def engine(scaler=None, *, overflow=False, due=True):
    """What is read of DeepSpeed's."""
    optimizer = SimpleNamespace(overflow=False, loss_scaler=scaler)

    def step():
        optimizer.overflow = overflow

    return SimpleNamespace(
        optimizer=optimizer, step=step, fp16_enabled=lambda: scaler is not None,
        is_gradient_accumulation_boundary=lambda: due,
    )  # fmt: skip


def scaler_at(now, *, dynamic=True):
    return SimpleNamespace(dynamic=dynamic, cur_scale=now, min_scale=1)


def test_a_scale_that_cannot_be_lower():
    assert is_lowest(engine(scaler_at(1)))
    assert not is_lowest(engine(scaler_at(2)))
    assert is_lowest(engine(scaler_at(128, dynamic=False)))
    assert is_lowest(engine())  # bf16 has none


@pytest.mark.parametrize(
    ("scale", "overflow", "due", "fault"),
    [(1, True, True, True), (2, True, True, False), (1, False, True, False), (1, True, False, False)],
)
def test_only_an_update_that_was_due_is_a_fault(scale, overflow, due, fault):
    """Between them `overflow` is still that of the last one."""
    assert make_update(engine(scaler_at(scale), overflow=overflow, due=due)) is fault


def test_an_optimizer_that_does_not_look_says_nothing():
    plain = engine()
    plain.optimizer = torch.optim.SGD([torch.zeros(1)])
    assert make_update(SimpleNamespace(**vars(plain) | {"step": lambda: None})) is False
