"""Every kind of encoder that the config knows can be built, and what may be pretrained has what pretraining asks for."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from ecglfm.benchmark.training.flops import encoder_flops, forward_flops
from ecglfm.config import LEADS, Architecture, ModelConfig, PreprocessConfig, PretrainConfig
from ecglfm.models.encoders.context import Context
from ecglfm.models.encoders.encoder import CONTEXTS
from ecglfm.models.encoders.kinds import ENCODERS, make_encoder
from ecglfm.models.encoders.patched import PatchEncoder
from tests.unit.architectures import SMALL, asked_by, small

CLASSES: dict[str, type[Architecture]] = {
    get_args(cls.model_fields["kind"].annotation)[0]: cls for cls in get_args(get_args(ModelConfig)[0])
}


def encoder_of(kind):
    torch.manual_seed(0)
    return make_encoder(small(kind), LEADS, 500, PreprocessConfig(), 5.0)


def test_every_kind_has_its_encoder():
    assert set(CLASSES) == set(ENCODERS), (
        "`ModelConfig` in ecglfm/config/encoders/architecture.py and ENCODERS, CONTEXTS"
    )
    assert set(SMALL) == set(ENCODERS), "a small one of each kind stands in tests/unit/architectures.py"
    patched = {kind for kind, cls in ENCODERS.items() if issubclass(cls, PatchEncoder)}
    assert {kind for kind, cls in CLASSES.items() if cls.pretrainable} == {*CONTEXTS, *patched}
    assert patched == {"vit"}
    for kind in CLASSES:
        assert type(encoder_of(kind)) is ENCODERS[kind]


@pytest.mark.parametrize("kind", list(CONTEXTS))
def test_a_context_offers_what_pretraining_asks_for(kind):
    encoder = encoder_of(kind).eval()
    context = encoder.context
    assert all(hasattr(context, name) for name in asked_by(Context))
    assert isinstance(context, nn.Module)
    assert len(context.layers) == encoder.config.depth == 2
    assert all(isinstance(context.get_submodule(name), nn.Module) for name in context.closing)
    entered = []
    context.dropout.register_forward_hook(lambda module, args, output: entered.append(output.shape))
    x, mask = torch.randn(2, 7, 16), torch.arange(7) < torch.tensor([[7], [4]])
    outputs = context(x, mask)
    assert [output.shape for output in outputs] == [(2, 7, 16)] * 2
    assert entered == [(2, 7, 16)]
    assert all(output.isfinite().all() for output in outputs)
    torch.testing.assert_close(context(x[1:, :4])[-1], outputs[-1][1:, :4])
    x.requires_grad_()
    context.checkpointing = True
    calls = []
    context.layers[0].register_forward_pre_hook(lambda *_: calls.append(1))
    context(x)[-1].square().sum().backward()
    assert len(calls) == 2


@pytest.mark.parametrize("kind", list(CONTEXTS))
def test_the_operations_of_a_context_are_counted(kind):
    """Of two segments up to twice as many: positions and kernels are made once; of more leads more."""
    few, many, wide = (
        encoder_flops(small(kind), segments=segments, leads=leads, samples=2500)
        for segments, leads in ((1, 6), (2, 6), (1, 12))
    )
    assert 1.5 * few < many <= 2 * few
    assert few < wide < 2 * few


def test_the_operations_of_what_has_no_context_are_an_error():
    with pytest.raises(ValueError, match="kind 'convnet' has no context to pretrain"):
        forward_flops(
            encoder_of("convnet").config, PretrainConfig(steps=1), segments=2, leads=12, samples=2500, masked=9
        )
