"""Encoders of convolutions alone: what is said of parts that do not fit each other."""

from __future__ import annotations

import pytest

from ecglfm.config import Net1dConfig, UserError, parse_model
from tests.unit.architectures import small

RESNET = {"kind": "resnet", "dim": 16, "widths": [8, 16], "blocks": [1, 2], "strides": [1, 2], "stem": [5, 2]}
NET1D = {"kind": "net1d", "dim": 16, "stem": 8, "widths": [8, 16], "blocks": [1, 1], "kernel": 4, "group_width": 4}


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": [1]}, "widths are of 2 stages, blocks of 1"),
        ({"dim": 32}, "dim 32 is not the last of widths, 16"),
        ({"widths": [4, 16]}, r"channels fall from stem to the last of widths: \[8, 4, 16\]; a shortcut can only add"),
        ({"group_width": 16}, "8 channels within a block of width 8 are no multiple of group_width 16"),
        ({"ratio": 0.01}, "0 channels within a block of width 8 are no multiple of group_width 4"),
        (
            {"kernel": 5},
            "kernel 5 must be even: with an odd one and stride 2 the first sample that a frame reads would",
        ),
        ({"stride": 3}, "model.stride: Input should be 1 or 2"),
        ({"norm_sync": True}, "norm_sync is for `norm: batch`; `norm: none` has nothing to synchronise"),
        ({"expansion": 2}, "kind 'net1d' has no key 'expansion'"),
    ],
)
def test_stages_of_net1d_that_do_not_fit(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_model(NET1D | changes, "encoder.yaml")
    assert "\n" not in str(caught.value)


def test_an_odd_kernel_needs_no_stride() -> None:
    assert parse_model(NET1D | {"kernel": 5, "stride": 1}, "encoder.yaml").kernel == 5


def test_sizes() -> None:
    whole, convnet = Net1dConfig(kind="net1d"), small("convnet")
    assert (whole.depth, whole.parts, whole.inner(160)) == (7, 21, 160)
    assert (convnet.depth, convnet.parts) == (2, 4)
