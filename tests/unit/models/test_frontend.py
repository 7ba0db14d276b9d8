"""The front end's first stage, which is worked out twice: its values are those of PyTorch's layers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ecglfm.models.frontend import FrontEnd, _ConvolveNormalizeGELU


def test_first_stage_is_convolution_group_norm_and_gelu():
    torch.manual_seed(0)
    front = FrontEnd(3, channels=4, conv_layers=[(3, 2), (2, 2)], dim=4)
    conv, norm = front.convs[0], front.group_norm
    for parameter in (conv.bias, norm.weight, norm.bias):
        nn.init.normal_(parameter)
    x = torch.randn(2, 3, 31)
    with torch.no_grad():
        normed = functional.group_norm(functional.conv1d(x, conv.weight, conv.bias, 2), 4, norm.weight, norm.bias)
    expected = functional.gelu(normed).transpose(1, 2)
    torch.testing.assert_close(front._first(x, None), expected)
    assert type(front._first(x, None).grad_fn).__name__ == "_ConvolveNormalizeGELUBackward"
    whole = torch.ones(2, 15, dtype=torch.bool)  # with a mask, or where the signal itself wants a gradient
    torch.testing.assert_close(front._first(x, whole), expected)
    signal = x.clone().requires_grad_()
    front(signal).normed_btc.square().sum().backward()
    assert signal.grad.abs().sum() > 0


def test_gradients_of_the_first_stage():
    """Against finite differences."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 17, dtype=torch.float64)
    shapes = [(4, 3, 3), (4,), (4,), (4,)]
    parameters = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(lambda *p: _ConvolveNormalizeGELU.apply(x, *p, 2, 1e-5), parameters)


def test_first_stage_keeps_what_enters_only():
    front, x = FrontEnd(3, channels=64, conv_layers=[(2, 2)], dim=64), torch.randn(2, 3, 200)
    sizes: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        front._first(x, None)
    assert max(sizes) == x.numel()
