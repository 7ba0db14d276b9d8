"""Norms over real frames: statistics by hand and by PyTorch."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from ecglfm.config import UserError
from ecglfm.models.layers.normalization import (
    MaskedBatchNorm,
    MaskedGroupNorm,
    ResidualNorm,
    make_norm,
    standardize,
)
from tests.unit.architectures import architecture
from tests.unit.models.encoders.small_encoder import SMALL


def test_standardize_by_hand():
    x = torch.tensor([[[1.0, 3.0, 1.0, 3.0, 99.0], [5.0, 5.0, 5.0, 5.0, 7.0]]])
    real = torch.tensor([[True, True, True, True, False]])
    expected = torch.tensor([[[-1.0, 1.0, -1.0, 1.0, 0.0], [0.0] * 5]])  # the second lead is constant
    torch.testing.assert_close(standardize(x, real), expected)
    torch.testing.assert_close(standardize(x[..., :4]), expected[..., :4])


def test_group_norm_statistics_by_hand():
    norm = MaskedGroupNorm(2, 2, eps=0.0)
    x = torch.tensor([[[1.0, 3.0, 99.0], [10.0, 30.0, -7.0]]])
    mask = torch.tensor([[True, True, False]])
    expected = torch.tensor([[-1.0, 1.0], [-1.0, 1.0]])  # mean 2, deviation 1; mean 20, deviation 10
    torch.testing.assert_close(norm(x, mask)[0, :, :2], expected)


def test_batch_norm_statistics_by_hand():
    norm = MaskedBatchNorm(1, eps=0.0)
    x = torch.tensor([[[1.0, 3.0, 99.0]], [[5.0, 7.0, 9.0]]]).transpose(1, 2)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    out = norm(x, mask)  # 1 3 5 7 9: mean 5, variance 8, unbiased 10
    torch.testing.assert_close(out[1, :, 0], torch.tensor([0.0, 2.0, 4.0]) / math.sqrt(8.0))
    assert norm.running_mean.item() == pytest.approx(0.1 * 5)
    assert norm.running_var.item() == pytest.approx(0.9 * 1 + 0.1 * 10)
    assert norm.num_batches_tracked.item() == 1


def test_norms_of_the_convolution_module_are_pytorchs():
    torch.manual_seed(0)
    x = torch.randn(3, 7, 4) * 3 + 1
    mask = torch.arange(7) < torch.tensor([7, 4, 1])[:, None]
    for kind in ("batch", "group", "layer"):
        norm = make_norm(kind, 4)
        with torch.no_grad():
            norm.weight.normal_()
            norm.bias.normal_()
        theirs = {
            "batch": lambda x, norm=norm: functional.batch_norm(
                x.transpose(1, 2), None, None, norm.weight, norm.bias, training=True
            ).transpose(1, 2),
            "group": lambda x, norm=norm: functional.group_norm(x.transpose(1, 2), 1, norm.weight, norm.bias).transpose(
                1, 2
            ),
            "layer": lambda x, norm=norm: functional.layer_norm(x, (4,), norm.weight, norm.bias),
        }[kind]
        torch.testing.assert_close(norm(x), theirs(x))
        torch.testing.assert_close(norm(x, torch.ones(3, 7, dtype=torch.bool)), theirs(x))
        masked = norm(x, mask)
        if kind == "batch":  # the real frames of the batch, as one record
            torch.testing.assert_close(masked[mask], theirs(x[mask][None])[0])
        else:
            for record, length in enumerate([7, 4, 1]):
                alone = theirs(x[record : record + 1, :length])[0]
                torch.testing.assert_close(masked[record, :length], alone)
    with pytest.raises(UserError, match="`norm: group` has nothing to synchronise"):
        architecture(**SMALL.model_dump() | {"norm": "group", "norm_sync": True})


def test_running_statistics_stay_float32_in_bfloat16():
    norm = MaskedBatchNorm(3).to(torch.bfloat16)
    assert norm.weight.dtype == torch.bfloat16
    assert norm.running_mean.dtype == torch.float32
    assert norm(torch.randn(2, 5, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_norm_of_a_residual_stream_in_half_precision():
    """Mean 2 and deviation 1 of large numbers: statistics of bfloat16 would lose them."""
    norm = ResidualNorm(4, eps=0.0)
    nn.init.constant_(norm.weight, 3.0)
    nn.init.constant_(norm.bias, 1.0)
    x = torch.tensor([1.0, 3.0, 1.0, 3.0]) + 256
    stream = (x * 2).to(torch.bfloat16)  # 514 and 518: two digits of it are the same
    with torch.autocast("cpu", dtype=torch.bfloat16):
        norm.stays_half = True
        found = norm(stream)
        assert norm(x).dtype == torch.float32
    assert found.dtype == torch.bfloat16
    assert found.tolist() == [-2.0, 4.0, -2.0, 4.0]
