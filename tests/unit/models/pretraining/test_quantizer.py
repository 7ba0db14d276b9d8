"""The codebook: temperature, perplexity and choice by hand."""

import pytest
import torch

from ecglfm.config import QuantizerConfig
from ecglfm.models.pretraining.quantizer import GumbelQuantizer, perplexity


def test_temperature_is_a_function_of_the_step():
    quantizer = GumbelQuantizer(4, QuantizerConfig(codes=4, code_dim=4, temperature=(2.0, 0.5, 0.9)))
    assert quantizer.temperature(0) == 2.0
    assert quantizer.temperature(3) == pytest.approx(2 * 0.9**3)
    assert quantizer.temperature(1000) == 0.5


def test_perplexity_by_hand():
    assert perplexity(torch.full((16,), 1 / 16)).item() == pytest.approx(16, rel=1e-4)
    assert perplexity(torch.tensor([1.0, 0.0, 0.0])).item() == pytest.approx(1, rel=1e-4)


def test_quantizer_takes_the_noisy_best_and_passes_the_soft_gradient():
    quantizer = GumbelQuantizer(4, QuantizerConfig(codes=5, code_dim=3))
    features = torch.randn(6, 4)
    noise = torch.zeros(6, 5)
    noise[:, 2] = 1e4
    quantized = quantizer(features, step=0, gumbel_sv=noise)
    assert quantized.codes_s.tolist() == [2] * 6
    torch.testing.assert_close(quantized.vectors_se, quantizer.vars[2].expand(6, 3))
    calm = quantizer(features, step=0, gumbel_sv=torch.zeros(6, 5))
    calm.vectors_se.square().sum().backward()
    assert quantizer.weight_proj.weight.grad.abs().sum() > 0
    still = quantizer(features, step=0, gumbel_sv=None)
    assert torch.equal(still.codes_s, quantizer.weight_proj(features).argmax(dim=1))
    assert torch.equal(still.vectors_se, quantizer.vars[still.codes_s])


def test_codes_are_chosen_in_float32_under_autocast():
    """Scores 100.1 and 100.2, which are one bfloat16: the first of equals would be taken."""
    quantizer = GumbelQuantizer(1, QuantizerConfig(codes=2, code_dim=3))
    with torch.no_grad():
        quantizer.weight_proj.weight.copy_(torch.tensor([[100.1], [100.2]]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert quantizer(torch.ones(1, 1), step=0, gumbel_sv=None).codes_s.tolist() == [1]
