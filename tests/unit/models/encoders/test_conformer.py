"""Conformer layers: positions of any length, and activations that are computed again."""

import pytest
import torch

from tests.unit.models.encoders.small_encoder import SMALL, build


def test_position_table_follows_the_length():
    encoder, x = build().eval(), torch.randn(1, 12, 320)
    with torch.inference_mode():
        first = encoder(x)
    encoder(torch.ones(1, 12, 800))
    assert encoder.conformer._positions.shape == (2 * 50 - 1, 32)
    torch.testing.assert_close(encoder(x).detach(), first)
    encoder(x).sum().backward()


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_checkpointed_activations_change_nothing(dropout):
    """The same gradients and the same running statistics, though every layer runs twice."""
    results = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        encoder = build(SMALL.model_copy(update={"dropout": dropout})).train()
        encoder.context.checkpointing = checkpointing
        torch.manual_seed(1)
        encoder(torch.randn(2, 12, 1000)).square().mean().backward()
        buffers = {name: buffer.clone() for name, buffer in encoder.named_buffers()}
        results.append((buffers, {name: parameter.grad for name, parameter in encoder.named_parameters()}))
    assert results[0][0].keys() == results[1][0].keys()
    for first, second in zip(*results, strict=True):
        for name, value in first.items():
            assert torch.equal(value, second[name]), name


def test_a_residual_stream_in_half_precision():
    """Every sum is in bfloat16 under autocast, the output is not, and both are what float32 gives to its digits."""
    torch.manual_seed(0)
    encoder, x = build(SMALL.model_copy(update={"dropout": 0.0})).train(), torch.randn(2, 12, 1000)
    entered: list[torch.dtype] = []
    for layer in encoder.context.layers:
        layer.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0].dtype))
        layer.final_layer_norm.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0].dtype))
    exact = encoder(x).detach()
    assert set(entered) == {torch.float32}
    entered.clear()
    encoder.context.half_residual = True
    assert torch.equal(encoder(x), exact)  # there is no half precision without autocast
    entered.clear()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = encoder(x)
    assert set(entered) == {torch.bfloat16}
    assert y.dtype == torch.float32
    assert (y - exact).norm() < 0.02 * exact.norm()
    y.square().mean().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
