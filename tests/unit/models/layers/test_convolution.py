"""Convolutions as products of matrices: the numbers and gradients of `nn.Conv1d` with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ecglfm.models.layers.convolution import Depthwise, FrameConvolution, Pointwise, SampleConvolution


def same(ours: nn.Conv1d, x_bcn: torch.Tensor, *, last: bool) -> None:
    """Outputs and gradients are PyTorch's; `last`: ours has its channels last."""
    theirs = nn.Conv1d(
        ours.in_channels, ours.out_channels, ours.kernel_size, ours.stride, ours.padding,  # type: ignore[arg-type]
        groups=ours.groups, bias=ours.bias is not None, dtype=torch.float64,
    )  # fmt: skip
    theirs.load_state_dict(ours.state_dict())
    x, y = (x_bcn.clone().requires_grad_() for _ in range(2))
    out = ours(x.transpose(1, 2)).transpose(1, 2) if last else ours(x)
    expected = theirs(y)
    torch.testing.assert_close(out, expected)
    weights = torch.randn_like(expected)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs.get_parameter(name).grad)


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (2, 3), (3, 1)])
@pytest.mark.parametrize("samples", [12, 13, 17])
def test_strided(kernel: int, stride: int, samples: int) -> None:
    x = torch.randn(2, 3, samples, dtype=torch.float64)
    same(SampleConvolution(3, 5, kernel, stride).double(), x, last=False)
    same(FrameConvolution(3, 5, kernel, stride).double(), x, last=True)


def test_pointwise_and_depthwise() -> None:
    x = torch.randn(2, 4, 9, dtype=torch.float64)
    same(Pointwise(4, 6).double(), x, last=True)
    for kernel in (1, 3, 7):
        same(Depthwise(4, kernel).double(), x, last=True)
