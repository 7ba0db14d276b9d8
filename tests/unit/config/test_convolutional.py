"""Encoders of convolutions alone: what is said of parts that do not fit each other."""

from __future__ import annotations

import pytest

from ecglfm.config import UserError, parse_model

RESNET = {"kind": "resnet", "dim": 16, "widths": [8, 16], "blocks": [1, 2], "strides": [1, 2], "stem": [5, 2]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": [1]}, "widths, blocks and strides are of 2, 1 and 2 stages"),
        ({"dim": 24}, "dim 24 is not the last of widths, 16"),
        ({"kernel": 4}, "kernel 4 must be odd"),
        ({"stem": [4, 2]}, "kernel 4 must be odd"),
        ({"preactivation": True, "max_pool": True}, "max_pool is for `preactivation: false`"),
        ({"preactivation": True, "strides": [1, 4]}, "a stride of 4 with kernel 3 would leave samples out"),
        ({"pool": "last"}, "model.pool: Input should be 'mean', 'mean_max' or 'flatten'"),
    ],
)
def test_a_resnet_whose_parts_do_not_fit(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_model(RESNET | changes, "encoder.yaml")
    assert "\n" not in str(caught.value)
