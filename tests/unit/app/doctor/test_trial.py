"""One collective and one update, as in a training."""

from __future__ import annotations

import pytest
import torch

from ecglfm.app.doctor import machine
from tests.unit.app.doctor.findings import lines


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU says")
def test_deepspeed_makes_an_update() -> None:
    assert lines(machine.check_engine()) == [
        "ok   gloo (NCCL needs a GPU)",
        "ok   DeepSpeed made an update on cpu",
    ]
