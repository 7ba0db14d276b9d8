"""Dropout and the Linear behind it: shares, means, gradients against PyTorch's, and what is kept in memory."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ecglfm.models.dropout import Dropout, SwishLinear, kept


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_share_that_stays(probability):
    torch.manual_seed(0)
    keep = kept(torch.empty(1001, 999), probability)
    assert keep.shape == (1001, 999)
    # A million draws: a standard deviation of at most 0.0005.
    assert keep.float().mean().item() == pytest.approx(1 - probability, abs=0.002)
    # Four decisions come from one draw: each of the four places must have the same share, and neighbours be unrelated.
    flat = keep.flatten()[:999_996].view(-1, 4).float()
    assert flat.mean(0).tolist() == pytest.approx([1 - probability] * 4, abs=0.004)
    correlation = torch.corrcoef(flat.T)
    assert (correlation - torch.eye(4)).abs().max() < 0.01


def test_dropout_keeps_the_mean_and_its_gradient_is_its_factor():
    torch.manual_seed(0)
    x = torch.ones(200, 300, requires_grad=True)
    dropout = Dropout(0.25)
    y = dropout(x)
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert y.mean().item() == pytest.approx(1.0, abs=0.01)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert dropout.eval()(x) is x


def test_the_global_generator_decides():
    x = torch.ones(50, 50)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(Dropout(0.5)(x))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_swish_linear_is_linear_of_the_dropped_out_swish(probability):
    torch.manual_seed(0)
    layer = SwishLinear(6, 4, dropout=probability).double()
    nn.init.normal_(layer.bias)
    x = torch.randn(3, 5, 6, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(3, 5, 4, dtype=torch.float64)
    torch.manual_seed(7)
    y = layer(x)
    found = torch.autograd.grad(y, (x, layer.weight, layer.bias), grad)
    torch.manual_seed(7)
    factor = kept(x, probability).double() / (1 - probability) if probability else 1.0
    expected_y = functional.linear(functional.silu(x) * factor, layer.weight, layer.bias)
    expected = torch.autograd.grad(expected_y, (x, layer.weight, layer.bias), grad)
    torch.testing.assert_close(y, expected_y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        plain = functional.linear(functional.silu(x), layer.weight, layer.bias)
    torch.testing.assert_close(layer.eval()(x), plain, rtol=1e-12, atol=1e-12)


def test_swish_linear_keeps_its_input_only():
    kept_bytes = []
    layer = SwishLinear(64, 8, dropout=0.0)
    x = torch.randn(100, 64, requires_grad=True)

    def pack(tensor):
        kept_bytes.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(x)
    assert sum(kept_bytes) == x.nbytes + layer.weight.nbytes
