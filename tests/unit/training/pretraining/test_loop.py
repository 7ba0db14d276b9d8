"""One update of a pretraining."""

from __future__ import annotations

import pytest
import torch

from ecglfm.config import PretrainConfig, UserError
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.training.pretraining import loop, watchdog
from ecglfm.training.pretraining.encoders import build_encoder
from ecglfm.training.pretraining.upcoming import Upcoming
from tests.unit.training.pretraining.small_pretraining import (
    encoder_slice,
)


def batches(count):
    for _ in range(count):
        yield {"signal": torch.zeros(4, 200, 3, dtype=torch.int16), "lead_mask": torch.ones(4, 3).bool()}


class Engine:
    """Gives a fixed loss, and notes what it is asked for in `said`."""

    device = torch.device("cpu")

    def __init__(self, loss):
        config = encoder_slice()
        self.module = MaskedCodes(build_encoder(config, 0), config.config.pretrain)
        self.loss, self.said, self.optimizer = loss, [], None

    def __call__(self, x, **_):
        self.said.append("forward")
        return dict.fromkeys(("loss", *MaskedCodes.columns), torch.tensor(self.loss))

    def backward(self, loss):
        self.said.append("backward")

    def step(self):
        self.said.append("step")

    def zero_optimization(self):
        return True

    def get_global_grad_norm(self):
        return 0.5


def test_no_update_is_made_of_a_loss_that_is_not_finite():
    engine, config = Engine(float("nan")), PretrainConfig(steps=10)
    with pytest.raises(UserError, match="the loss is not finite at step 8"):
        loop.update(engine, Upcoming(engine.module, batches(1), config, 7), 7, config)
    assert engine.said == ["forward", "backward"]


def test_masks_of_the_next_update_are_drawn_before_the_host_waits_for_this_one(monkeypatch):
    engine, config = Engine(1.0), PretrainConfig(steps=10, accumulate=2)
    prepare, read = engine.module.prepare, watchdog.read

    def noted(loaded, seed):
        engine.said.append("masks")
        return prepare(loaded, seed)

    def waited(values):
        engine.said.append("wait")
        return read(values)

    monkeypatch.setattr(engine.module, "prepare", noted)
    monkeypatch.setattr(watchdog, "read", waited)
    upcoming = Upcoming(engine.module, batches(6), config)
    first = ["masks", "forward", "backward", "step", "forward", "masks", "backward", "wait", "step"]
    done = loop.update(engine, upcoming, 0, config, lambda: [False, True])
    assert (done.norm, done.fault, done.flags) == (0.5, None, [False, True])
    assert engine.said == first
    loop.update(engine, upcoming, 1, config)
    assert engine.said == first + first[1:]
    loop.update(engine, upcoming, 2, config)
    assert engine.said == first + first[1:] + [word for word in first if word != "masks"]  # there is no further one
