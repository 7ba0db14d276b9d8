"""Every module with weights is called, or its replacement counts: adapters, hooks and swapped layers are never ignored."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.models.encoders.encoder import Encoder
from ecglfm.models.encoders.kinds import ENCODERS, make_encoder
from tests.unit.architectures import small

MODES = pytest.mark.parametrize("mode", ["train", "eval", "inference"])
KINDS = pytest.mark.parametrize("kind", [kind for kind in ENCODERS if small(kind).weighted])


def encoder_of(kind: str, mode: str = "train", **changes) -> Encoder:
    torch.manual_seed(0)
    config = small(kind, **{"dropout": 0.0} | changes)
    encoder = make_encoder(config, LEADS, 500, PreprocessConfig(), 5.0).train(mode == "train")
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=1.0 if parameter.dim() == 1 else 0.3)  # nothing so small that it would not show
    return encoder


def signal() -> Tensor:
    return torch.randn(3, 12, 400, generator=torch.Generator().manual_seed(1))


def run(encoder: Encoder, mode: str) -> Tensor:
    with torch.inference_mode(mode == "inference"):
        return encoder(signal())


def leaves(encoder: Encoder) -> dict[str, nn.Module]:
    """Modules that hold weights and no other module."""
    modules = dict(encoder.named_modules())
    return {name: m for name, m in modules.items() if [*m.parameters(recurse=False)] and not [*m.children()]}


class Wrapped(nn.Module):
    """Stands where another module stood, as an adapter of any library does."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base

    def forward(self, *args: Tensor | None) -> Any:
        found = self.base(*args)  # of a recurrent layer what it says and its state
        one, *more = found if isinstance(found, tuple) else (found,)
        changed = torch.cos(3 * one)  # no factor, which a normalisation would take away again
        return (changed, *more) if more else changed


@pytest.mark.filterwarnings("ignore:Full backward hook")
@KINDS
@MODES
@pytest.mark.parametrize("kind_of_hook", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
def test_a_hook_on_any_module_with_weights_is_called(kind, mode, kind_of_hook):
    if mode == "inference" and "backward" in kind_of_hook:
        return
    encoder, called = encoder_of(kind, mode), set()
    for name, module in leaves(encoder).items():
        getattr(module, f"register_{kind_of_hook}_hook")(lambda *_, name=name: called.add(name))
    output = run(encoder, mode)
    if mode != "inference":
        output.square().sum().backward()
    assert called == set(leaves(encoder))


@KINDS
@MODES
def test_a_hook_on_all_modules_is_called_for_each(kind, mode):
    encoder, called = encoder_of(kind, mode), []
    handle = nn.modules.module.register_module_forward_hook(lambda module, *_: called.append(module))
    try:
        run(encoder, mode)
    finally:
        handle.remove()
    assert {id(module) for module in leaves(encoder).values()} <= {id(module) for module in called}


@KINDS
@MODES
def test_a_replacement_of_any_module_with_weights_counts(kind, mode):
    untouched = run(encoder_of(kind, mode), mode)
    for name in leaves(encoder_of(kind)):
        encoder = encoder_of(kind, mode)
        parent, _, child = name.rpartition(".")
        setattr(encoder.get_submodule(parent), child, Wrapped(encoder.get_submodule(name)))
        assert not torch.allclose(run(encoder, mode), untouched, rtol=1e-4, atol=1e-6), name


@MODES
@pytest.mark.parametrize("name", ["self_attn.linear_q", "ffn1.w_1", "ffn1.w_2", "self_attn_layer_norm"])
def test_a_parametrized_or_monkeypatched_module_counts(mode, name):
    class Half(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return 0.5 * weight

    untouched = encoder_of("conformer", mode)
    by_hand, parametrized, patched = (copy.deepcopy(untouched) for _ in range(3))
    layers = [encoder.get_submodule(f"conformer.layers.1.{name}") for encoder in (by_hand, parametrized, patched)]
    layers[0].weight.data *= 0.5
    parametrize.register_parametrization(layers[1], "weight", Half())
    own_forward = layers[2].forward
    layers[2].forward = lambda x: torch.cos(3 * own_forward(x))
    expected = run(by_hand, mode)
    torch.testing.assert_close(run(parametrized, mode), expected)
    assert not torch.allclose(run(patched, mode), run(untouched, mode))


class LowRank(nn.Module):
    """LoRA (arXiv:2106.09685) in the form that libraries give it: the layer itself, and beside it a product of two."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down, self.up = nn.Linear(base.in_features, 2, bias=False), nn.Linear(2, base.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.up(self.down(x))


@pytest.mark.parametrize(
    ("kind", "query", "value"), [("conformer", "linear_q", "linear_v"), ("wav2vec2", "q_proj", "v_proj")]
)
def test_adapters_of_queries_and_values_train(kind, query, value):
    encoder = encoder_of(kind).requires_grad_(False)
    torch.manual_seed(1)
    for layer in encoder.context.layers:
        for name in (query, value):
            setattr(layer.self_attn, name, LowRank(getattr(layer.self_attn, name)))
    before = {name: value.clone() for name, value in encoder.named_parameters() if not value.requires_grad}
    learns = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    assert len(learns) == 2 * 2 * 2
    target, losses = torch.randn(3, 16, generator=torch.Generator().manual_seed(2)), []
    optimizer = torch.optim.Adam(learns, lr=0.02)
    for _ in range(30):
        optimizer.zero_grad()
        loss = (encoder.embed(signal()) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.98 * losses[0]
    assert all(torch.equal(dict(encoder.named_parameters())[name], value) for name, value in before.items())
