"""One update of a pretraining."""

from __future__ import annotations

import pytest
import torch

from ecglfm.config import PretrainConfig, UserError
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.training.pretraining import loop
from ecglfm.training.pretraining.encoders import build_encoder
from tests.unit.training.pretraining.small_pretraining import (
    encoder_slice,
)


def objective_of(config):
    return MaskedCodes(build_encoder(config, 0), config.config.pretrain)


def test_no_update_is_made_of_a_loss_that_is_not_finite():
    class Engine:
        device = torch.device("cpu")
        module = objective_of(encoder_slice())

        def __call__(self, x, **_):
            return dict.fromkeys(("loss", *MaskedCodes.columns), torch.tensor(float("nan")))

    batches = iter([{"signal": torch.zeros(4, 200, 3, dtype=torch.int16), "lead_mask": torch.ones(4, 3).bool()}])
    with pytest.raises(UserError, match="the loss is not finite at step 8"):  # neither backward nor step exists
        loop.update(Engine(), batches, 7, PretrainConfig(steps=10))
