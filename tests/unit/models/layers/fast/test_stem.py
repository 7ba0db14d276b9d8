"""The front end's first stage, whose GroupNorm lies in its weights: its values are those of PyTorch's layers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ecglfm.models.encoders.frontend import FrontEnd
from ecglfm.models.layers.fast.stem import _ConvolveNormalizeGELU, first_stage


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
    torch.testing.assert_close(first_stage(x, front.convs[0], front.group_norm), expected)
    assert type(first_stage(x, front.convs[0], front.group_norm).grad_fn).__name__ == "_ConvolveNormalizeGELUBackward"
    whole = torch.ones(2, 15, dtype=torch.bool)  # with a mask, or where the signal itself wants a gradient
    torch.testing.assert_close(first_stage(x, front.convs[0], front.group_norm, whole), expected)
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


def test_small_differences_of_a_smooth_signal_on_a_baseline():
    """A kernel that takes the difference of neighbours sees 0.01 mV of a slow sine at 5 mV: digits must not be lost."""
    front = FrontEnd(1, channels=2, conv_layers=[(2, 2)], dim=2)
    conv, norm = front.convs[0], front.group_norm
    conv.weight.data = torch.tensor([[[1.0, -1.0]], [[0.5, -0.51]]])
    x = (5 + torch.sin(2 * torch.pi * torch.arange(2500) / 500)).view(1, 1, -1)
    exact = functional.conv1d(x.double(), conv.weight.double(), conv.bias.double(), 2)
    expected = functional.gelu(functional.group_norm(exact, 2, norm.weight.double(), norm.bias.double())).transpose(
        1, 2
    )
    before = x.clone()
    torch.testing.assert_close(first_stage(x, front.convs[0], front.group_norm).double(), expected, rtol=0, atol=1e-4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(
            first_stage(x, front.convs[0], front.group_norm).double(), expected, rtol=0, atol=1e-4
        )
        # with a mask it is the plain form, as on a GPU: in float32, and handed on with bfloat16's 8 binary digits
        plain = first_stage(x, front.convs[0], front.group_norm, torch.ones(1, 1250, dtype=torch.bool))
    assert plain.dtype == torch.bfloat16
    torch.testing.assert_close(plain.double(), expected, rtol=2**-7, atol=1e-3)
    assert torch.equal(x, before)  # what the frames of one lead see is the signal itself


def test_first_stage_keeps_what_enters_only():
    front, x = FrontEnd(3, channels=64, conv_layers=[(2, 2)], dim=64), torch.randn(2, 3, 200)
    sizes: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        first_stage(x, front.convs[0], front.group_norm)
    assert max(sizes) == x.numel()
