"""Depthwise convolution by banded matrices: against PyTorch's, forward and backward, at every awkward size."""

import pytest
import torch
from torch.nn import functional

from ecglfm.models.depthwise import depthwise_convolution

# batch, frames, channels, taps: fewer frames than taps, one tap, exactly a block, a kernel longer than a block
SIZES = [(3, 17, 5, 7), (2, 156, 8, 31), (1, 5, 3, 31), (2, 64, 4, 1), (2, 2, 3, 33), (2, 70, 4, 65), (1, 1, 2, 3)]


@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradients_are_those_of_pytorch(size):
    batch, frames, channels, taps = size
    torch.manual_seed(0)
    x = torch.randn(batch, frames, channels, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(channels, taps, dtype=torch.float64, requires_grad=True)
    ours = depthwise_convolution(x, weight)
    theirs = functional.conv1d(x.transpose(1, 2), weight[:, None], padding=taps // 2, groups=channels).transpose(1, 2)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    grad = torch.randn_like(ours)
    for found, expected in zip(
        torch.autograd.grad(ours, (x, weight), grad), torch.autograd.grad(theirs, (x, weight), grad), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_records_do_not_see_each_other():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 40, 3), torch.randn(3, 31)
    both = depthwise_convolution(x, weight)
    x[1] = 1e6
    torch.testing.assert_close(depthwise_convolution(x, weight)[0], both[0], rtol=0, atol=0)


def test_only_what_is_asked_for_is_differentiated():
    x, weight = torch.randn(2, 9, 3), torch.randn(3, 3, requires_grad=True)
    depthwise_convolution(x, weight).sum().backward()
    # The gradient of a tap is the sum of the inputs it meets: all but the last frame for the first of three.
    torch.testing.assert_close(weight.grad[:, 0], x[:, :-1].sum((0, 1)))
    torch.testing.assert_close(weight.grad[:, 1], x.sum((0, 1)))
