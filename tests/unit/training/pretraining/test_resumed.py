"""What a training that goes on warns of; in earnest in test_pretrain.py."""

from __future__ import annotations

import pytest

from ecglfm.models.pretraining import MaskedCodes
from ecglfm.training.pretraining.resumed import warn_of_changes
from tests.unit.architectures import architecture, small


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
    conformer = architecture(layers=1, dim=8, ffn_dim=8, heads=1, **model)
    warn_of_changes(state, conformer, MaskedCodes, pairs=4)
    assert [message[: len(text)] for message, text in zip(caplog.messages, said, strict=True)] == said


@pytest.mark.parametrize(("convolutions", "times"), [([[3, 2], [3, 1]], 1), ([], 0)])
def test_state_spaces_have_a_batch_norm_behind_convolutions_only(convolutions, times, caplog):
    warn_of_changes({"batch_size": 8, "objective": 2}, small("s4", conv_layers=convolutions), MaskedCodes, pairs=4)
    assert caplog.text.count("BatchNorm now sees 4 pairs") == times
