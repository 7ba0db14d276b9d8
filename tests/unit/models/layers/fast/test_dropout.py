"""Dropout and the Linear behind it: shares, means, gradients against PyTorch's, and what is kept in memory."""

import pytest
import torch

from ecglfm.models.layers.fast.dropout import Dropout, keep_mask


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_share_that_stays(probability):
    torch.manual_seed(0)
    keep = keep_mask(torch.empty(1001, 999), probability)
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
