"""When the forms written by hand are taken: in a training on a CPU, unless a switch, a graph or a module says otherwise."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.layers.fast.choice import SWITCH, fast
from ecglfm.models.layers.fast.dropout import Dropout
from tests.unit.architectures import architecture

FORMS = {
    "_AttendBackward",
    "_BandedBackward",
    "_ConvolveNormalizeGELUBackward",
    "_NormedLinearBackward",
    "_SwishLinearBackward",
}
LINEAR = (nn.Linear,)


def forms(encoder: ECGEncoder, device: str = "cpu") -> list[str]:
    """Backward passes of ours in the graph of a forward."""
    found, seen, left = [], set(), [encoder(torch.ones(1, 12, 400, device=device)).grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        found.append(type(node).__name__)
        left += [before for before, _ in node.next_functions]
    return [name for name in found if name in FORMS]


@pytest.mark.parametrize("value", [None, "1", "0"])
def test_a_switch_turns_all_of_them_off(monkeypatch, value):
    monkeypatch.delenv(SWITCH, raising=False)
    if value is not None:
        monkeypatch.setenv(SWITCH, value)
    config = architecture(layers=1, dim=16, ffn_dim=24, heads=2, kernel=5, conv_channels=8, dropout=0.1)
    encoder = ECGEncoder(config, LEADS, 500, PreprocessConfig(), 5.0)
    found = forms(encoder)
    assert set(found) == (set() if value == "0" else FORMS)
    assert len(found) == (0 if value == "0" else 1 + 4 + 1 + 1 + 3)  # norms before Linears, swishes before them


def test_elsewhere_than_on_a_cpu_all_but_the_swish_are_plain():
    """Of a tensor without numbers, which stands for one of any device."""
    config = architecture(layers=1, dim=16, ffn_dim=24, heads=2, kernel=5, conv_channels=8, dropout=0.0)
    encoder = ECGEncoder(config, LEADS, 500, PreprocessConfig(), 5.0).to("meta")
    assert forms(encoder, "meta") == ["_SwishLinearBackward"] * 3


def test_dropout_is_then_pytorchs(monkeypatch):
    monkeypatch.setenv(SWITCH, "0")
    x = torch.ones(50, 50)
    torch.manual_seed(3)
    ours = Dropout(0.5)(x)
    torch.manual_seed(3)
    assert torch.equal(ours, nn.Dropout(0.5)(x))


def test_what_each_form_asks_for():
    x, layer = torch.ones(2, 3), nn.Linear(3, 3)
    assert fast(x, (layer, LINEAR))
    assert not fast(x, (layer, (nn.Conv1d,)))
    assert not fast(x.to("meta"), (layer, LINEAR))
    assert fast(x.to("meta"), (layer, LINEAR), anywhere=True)
    with torch.no_grad():
        assert not fast(x, (layer, LINEAR))
        assert fast(x, (layer, LINEAR), inference=True)


def test_a_graph_is_recorded_of_plain_operations():
    class Asks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1 if fast(x, anywhere=True, inference=True) else x + 2

    x, asks = torch.zeros(2), Asks()
    assert asks(x).tolist() == [1, 1]
    assert torch.jit.trace(asks, x)(x).tolist() == [2, 2]
    assert torch.compile(asks, backend="eager")(x).tolist() == [2, 2]
    assert torch.export.export(asks, (x,)).module()(x).tolist() == [2, 2]


class Quantized(nn.Parameter):
    """As libraries for quantisation replace a weight: the layer stays, its tensor computes otherwise."""


def test_a_weight_of_another_type_is_left_to_its_layer():
    layer = nn.Linear(3, 3)
    layer.weight = Quantized(torch.ones(3, 3))
    assert type(layer.weight) is Quantized
    assert not fast(torch.ones(2, 3), (layer, LINEAR))
