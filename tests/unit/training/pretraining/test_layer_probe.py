"""What a layer does, measured where it is known: dead layers of both encoder classes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ecglfm.models.encoders.encoder import CONTEXTS
from ecglfm.training.pretraining.layer_probe import LayerProbe
from tests.unit.architectures import architecture

OUTPUTS = ("w_2", "linear_out", "pointwise_conv2", "out_proj", "fc2")  # last weights of the modules of a layer


class Chain(nn.Module):
    """Layers of functions, with the interface of an encoder's context."""

    def __init__(self, *functions):
        super().__init__()
        self.dropout, self.functions = nn.Dropout(0.0), functions

    def forward(self, x):
        outputs = [self.dropout(x)]
        for function in self.functions:
            outputs.append(function(outputs[-1]))
        return outputs[1:]


def measure(context, x, loss=lambda outputs: outputs[-1].square().sum(), **options):
    with LayerProbe(context, **options) as probe:
        loss(context(x)).backward()
    return probe.states()


def test_change_spread_and_gradient_by_hand():
    x = torch.tensor([[[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]], requires_grad=True)
    turned, scaled, constant = measure(
        Chain(lambda x: x[..., [1, 2, 0]], lambda x: 5 * x + 1, lambda x: 0 * x + torch.tensor([1.0, 0.0, 2.0])),
        x,
        loss=lambda outputs: (3 * outputs[0] + outputs[1]).sum(),
    )
    # channels rise, fall, fall from frame to frame before the layer, and fall, fall, rise after: correlations -1, 1, -1
    assert turned.change == pytest.approx(4 / 3)
    # mean square of (2 3 1), (1 2 3): 14/3; its columns differ by 1, 1, 2 from frame to frame: (1/4 + 1/4 + 1) / 3
    assert turned.spread == pytest.approx(0.5 / (14 / 3))
    assert turned.gradient == pytest.approx(8 * math.sqrt(6))  # 3 and 5 by the next, for each of 6 numbers
    assert scaled.change == pytest.approx(0, abs=1e-12)
    assert scaled.gradient == pytest.approx(math.sqrt(6))
    assert (constant.spread, constant.gradient) == (0, 0)


@pytest.mark.parametrize("kind", ["conformer", "wav2vec2"])
def test_the_dead_layer_is_the_planted_one(kind):
    torch.manual_seed(0)
    model = architecture(kind=kind, layers=3, dim=32, ffn_dim=64, heads=2, dropout=0.1)
    context = CONTEXTS[kind](model).train()
    x = torch.randn(10, 20, 32, requires_grad=True)

    def weighted(outputs):  # a plain sum of a LayerNorm's output has no gradient
        return (outputs[-1] * torch.linspace(-1, 1, 32)).square().sum()

    alive = measure(context, x, weighted)
    assert min(state.change for state in alive) > 1e-5
    assert min(state.spread for state in alive) > 1e-2
    assert min(state.gradient for state in alive) > 0
    planted = [p for name, p in context.layers[1].named_parameters() if name.rsplit(".", 2)[-2] in OUTPUTS]
    assert len(planted) >= 4
    with torch.no_grad():
        for parameter in planted:
            parameter.zero_()
    changes = [state.change for state in measure(context, x, weighted)]
    assert changes[1] < 1e-9
    assert min(changes[0], changes[2]) > 1e-5
    with torch.no_grad():
        for name, parameter in context.layers[2].named_parameters():
            if name.startswith("final_layer_norm.weight"):
                parameter.zero_()
    states = measure(context, x, lambda outputs: weighted(outputs[:1]))
    assert states[2].spread == 0
    assert [state.gradient > 0 for state in states] == [True, False, False]


def test_only_the_first_forward_is_measured_and_nothing_stays_behind():
    context, x = Chain(lambda x: 2 * x), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]], requires_grad=True)
    with LayerProbe(context) as probe:
        for scale in (1.0, 100.0):
            context(scale * x)[-1].sum().backward()
    assert [state.gradient for state in probe.states()] == [2.0]
    assert not context._forward_hooks
    assert not context.dropout._forward_hooks
    with LayerProbe(context, active=False):
        assert not context._forward_hooks


def test_what_is_not_a_number_is_not_dead():
    (state,) = measure(Chain(lambda x: x * math.nan), torch.ones(1, 2, 3, requires_grad=True))
    assert state.change == state.spread == math.inf
