"""What a training that goes on warns of; in earnest in test_pretrain.py."""

from __future__ import annotations

import pytest

from ecglfm.models.pretraining import MaskedCodes
from ecglfm.training.pretraining.resumed import warn_of_changes
from tests.unit.architectures import architecture


@pytest.mark.parametrize(
    ("state", "model", "said"),
    [
        ({"batch_size": 4, "objective": 2}, {}, []),
        ({"batch_size": 8, "objective": 2}, {}, ["BatchNorm now sees 4 pairs at a time, before 8"]),
        ({"batch_size": 8, "objective": 2}, {"norm": "group"}, []),
        ({"batch_size": 8, "objective": 2}, {"norm_sync": True}, []),
        ({"batch_size": 4}, {}, ["the checkpoint is of an ecglfm that hid frames in another way (version 1 of"]),
    ],
)
def test_it_warns_where_the_loss_may_jump(state, model, said, caplog):
    small = architecture(layers=1, dim=8, ffn_dim=8, heads=1, **model)
    warn_of_changes(state, small, MaskedCodes, pairs=4)
    assert [message[: len(text)] for message, text in zip(caplog.messages, said, strict=True)] == said
