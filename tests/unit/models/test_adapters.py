"""Low-rank adapters: they start at the pretrained encoder, alone learn, and end in its weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ecglfm.config import LEADS, LoraConfig, PreprocessConfig, UserError
from ecglfm.models.adapters import LowRank, adapt, merge
from ecglfm.models.encoders.kinds import make_encoder
from tests.unit.architectures import small


def encoder_of(kind):
    torch.manual_seed(0)
    return make_encoder(small(kind), LEADS, 500, PreprocessConfig(), 5.0).eval()


def test_an_adapter_by_hand():
    base = nn.Linear(2, 2)
    base.weight.data, base.bias.data = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([5.0, 6.0])
    adapter = LowRank(base, LoraConfig(rank=1, alpha=3.0))
    assert adapter.up.weight.tolist() == [[0.0], [0.0]]
    adapter.down.weight.data, adapter.up.weight.data = torch.tensor([[1.0, -1.0]]), torch.tensor([[2.0], [10.0]])
    x = torch.tensor([7.0, 4.0])  # down gives 3; times 3 it is 9
    assert adapter(x).tolist() == [7 + 8 + 5 + 9 * 2, 21 + 16 + 6 + 9 * 10]
    assert adapter.merged().weight.tolist() == [[1 + 6, 2 - 6], [3 + 30, 4 - 30]]
    assert adapter.merged() is base


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("conformer", ["linear_q", "linear_v"]),
        ("wav2vec2", ["q_proj", "v_proj"]),
        ("vit", ["q_proj", "v_proj"]),
        ("s4", ["output_linear"]),
    ],
)
def test_queries_and_values_or_the_only_linear_are_adapted_unless_targets_say_otherwise(kind, names):
    x, encoder = torch.randn(2, 12, 400), encoder_of(kind)
    before, keys = encoder(x).detach(), set(encoder.state_dict())
    adapt(encoder, LoraConfig(rank=3))
    learns = {name: parameter.shape for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    wanted = {}
    for layer in range(2):
        for name in names:
            place = f"{kind}.layers.{layer}.{'' if kind == 's4' else 'self_attn.'}{name}"
            wanted[f"{place}.down.weight"] = (3, 16)
            wanted[f"{place}.up.weight"] = (32 if kind == "s4" else 16, 3)
    assert learns == wanted
    torch.testing.assert_close(encoder(x), before, rtol=1e-5, atol=1e-6)
    for module in encoder.modules():
        if isinstance(module, LowRank):
            nn.init.normal_(module.up.weight)
    adapted = encoder(x)
    assert (adapted - before).abs().max() > 0.01
    merge(encoder)
    assert set(encoder.state_dict()) == keys
    torch.testing.assert_close(encoder(x), adapted, rtol=1e-4, atol=1e-5)


def test_other_targets():
    encoder = encoder_of("conformer")
    adapt(encoder, LoraConfig(targets=["w_2"]))
    adapters = {name for name, module in encoder.named_modules() if isinstance(module, LowRank)}
    assert adapters == {f"conformer.layers.{layer}.{ffn}.w_2" for layer in range(2) for ffn in ("ffn1", "ffn2")}


@pytest.mark.parametrize(
    ("kind", "targets", "message"),
    [
        ("conformer", ["linear_q", "q_proj"], r"^finetune\.lora\.targets: q_proj is no Linear of this encoder \(conformer\); it has linear_k, linear_out, linear_pos, linear_q, linear_v, project, w_1, w_2$"),
        ("convnet", [], r"^finetune\.lora\.targets: \[\] is no Linear of this encoder \(convnet\); it has none: fine-tune it in mode full$"),
    ],
)  # fmt: skip
def test_a_target_that_is_not_there_is_one_line(kind, targets, message):
    with pytest.raises(UserError, match=message):
        adapt(encoder_of(kind), LoraConfig(targets=targets))
