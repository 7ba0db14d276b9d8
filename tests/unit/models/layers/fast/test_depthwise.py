"""Gated depthwise convolution by banded matrices: against PyTorch's, forward and backward, at every awkward size."""

import pytest
import torch
from torch.nn import functional

from ecglfm.models.layers.convolution import Depthwise
from ecglfm.models.layers.fast.depthwise import gated_depthwise

# batch, frames, channels, taps: fewer frames than taps, one tap, exactly a block, a kernel longer than a block
SIZES = [(3, 17, 5, 7), (2, 156, 8, 31), (1, 5, 3, 31), (2, 64, 4, 1), (2, 2, 3, 33), (2, 70, 4, 65), (1, 1, 2, 3)]


def depthwise(weight):
    """The convolution of these taps, (channels, taps)."""
    conv = Depthwise(*weight.shape).to(weight.dtype)
    conv.weight.data = weight.detach().clone()[:, None]
    return conv.requires_grad_(weight.requires_grad)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradients_are_those_of_pytorch(size, masked):
    batch, frames, channels, taps = size
    torch.manual_seed(0)
    x = torch.randn(batch, frames, 2 * channels, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(channels, taps, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(frames) < torch.randint(1, frames + 1, (batch, 1)) if masked else None
    conv = depthwise(weight)
    ours = gated_depthwise(x, conv, mask)
    assert type(ours.grad_fn).__name__ == "_BandedBackward"
    gated = functional.glu(x) if mask is None else functional.glu(x) * mask[..., None]
    theirs = functional.conv1d(gated.transpose(1, 2), weight[:, None], padding=taps // 2, groups=channels)
    theirs = theirs.transpose(1, 2)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    grad = torch.randn_like(ours)
    for found, expected in zip(
        torch.autograd.grad(ours, (x, conv.weight), grad), torch.autograd.grad(theirs, (x, weight), grad), strict=True
    ):
        torch.testing.assert_close(found, expected.view_as(found), rtol=1e-12, atol=1e-12)


def test_records_do_not_see_each_other():
    torch.manual_seed(0)
    x, conv = torch.randn(2, 40, 6), Depthwise(3, 31)
    both = gated_depthwise(x, conv)
    x[1] = 1e6
    torch.testing.assert_close(gated_depthwise(x, conv)[0], both[0], rtol=0, atol=0)


def test_only_what_is_asked_for_is_differentiated():
    x, conv = torch.randn(2, 9, 6), Depthwise(3, 3)
    gated_depthwise(x, conv).sum().backward()
    # The gradient of a tap is the sum of the inputs it meets: all but the last frame for the first of three.
    gated = x[..., :3] * torch.sigmoid(x[..., 3:])
    torch.testing.assert_close(conv.weight.grad[:, 0, 0], gated[:, :-1].sum((0, 1)))
    torch.testing.assert_close(conv.weight.grad[:, 0, 1], gated.sum((0, 1)))


def test_what_enters_is_all_that_is_kept():
    sizes: list[int] = []
    x, conv = torch.randn(2, 50, 16, requires_grad=True), Depthwise(8, 3)

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        gated_depthwise(x, conv)
    assert sizes == [x.numel(), conv.weight.numel()]
