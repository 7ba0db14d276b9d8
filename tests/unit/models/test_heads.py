"""Disease heads: what learns in each mode, and how frames are pooled."""

import pytest
import torch

from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.heads import AttentionPooling, CosineHead, ECGModel
from tests.unit.architectures import architecture

MODEL = architecture(layers=1, dim=16, ffn_dim=24, heads=2, kernel=5, conv_channels=8, dropout=0.5)


def build(mode):
    torch.manual_seed(0)
    return ECGModel(ECGEncoder(MODEL, LEADS, 500, PreprocessConfig(), 5.0), ["AF", "MI", "CD"], mode)


@pytest.mark.parametrize("mode", ["frozen", "linear"])
def test_a_frozen_encoder_does_not_move(mode):
    model = build(mode).train()
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    assert not any(parameter.requires_grad for parameter in model.encoder.parameters())
    assert not any(module.training for module in model.encoder.modules())
    assert model.head.training
    x = torch.randn(4, 12, 800)
    assert torch.equal(model(x), model(x))  # no dropout in the encoder
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(x).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(before[name], value) for name, value in model.encoder.state_dict().items())
    assert model.head.weight.grad.any()
    if mode == "frozen":
        assert model.pooling.query.grad.any()


def test_full_mode_learns_all_but_the_front_end():
    model = build("full").train()
    assert model.encoder.training
    model.freeze("full", freeze_frontend=True)
    still = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    kernels = {f"encoder.frontend.convs.{layer}.{kind}" for layer in range(4) for kind in ("weight", "bias")}
    assert still == kernels | {"encoder.frontend.group_norm.weight", "encoder.frontend.group_norm.bias"}
    model(torch.randn(2, 12, 800)).sum().backward()
    assert model.encoder.frontend.convs[0].weight.grad is None
    assert model.encoder.conformer.layers[0].ffn1.w_1.weight.grad.any()
    model.freeze("full", freeze_frontend=False)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_head_is_xavier_with_zero_bias_on_the_mean():
    model = build("full").eval()
    assert not model.head.bias.any()
    assert model.head.weight.abs().max() <= (6 / (16 + 3)) ** 0.5
    x = torch.randn(2, 12, 800)
    torch.testing.assert_close(model(x), model.encoder(x).mean(dim=1) @ model.head.weight.T)
    assert model.thresholds == [0.5, 0.5, 0.5]


def test_a_cosine_head_by_hand():
    """Vectors (3, 4) and their tenth: of length 5 as they are, of length 6 where the first number counts for nothing."""
    head = CosineHead(2, 1)
    head.weight.data, head.bias.data = torch.tensor([[10.0, 5.0]]), torch.tensor([1.0])
    x = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    torch.testing.assert_close(head(x), torch.tensor([[11.0], [11.0], [1.0]]))
    head.norm.copy_(torch.tensor([[0.0, 1.5], [0.0, 0.0]]))
    torch.testing.assert_close(head(x)[:2], torch.tensor([[50 / 6 + 1], [50 / 6 + 1]]))


def test_attention_pooling_by_hand():
    pooling = AttentionPooling(4)
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(pooling(x), x.mean(dim=1))  # it starts as the mean
    pooling.query.data = torch.tensor([2.0, 0.0, 0.0, 0.0])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    weights = torch.exp(x[0, :2, 0]) / torch.exp(x[0, :2, 0]).sum()  # 2 / sqrt(4) = 1
    torch.testing.assert_close(pooling(x, mask)[0], weights @ x[0, :2])


@pytest.mark.parametrize("mode", ["full", "frozen", "linear", "lora", "zero_shot"])
def test_padding_does_not_change_logits(mode):
    model = build(mode).eval()
    if mode == "frozen":
        torch.nn.init.normal_(model.pooling.query)
    x, mask = torch.randn(2, 12, 1600), torch.ones(2, 1600, dtype=torch.bool)
    mask[0, 900:] = False
    with torch.no_grad():
        torch.testing.assert_close(model(x, mask)[0], model(x[:1, :, :900])[0], atol=1e-5, rtol=1e-5)


def test_unknown_mode():
    with pytest.raises(ValueError, match="not one of"):
        build("half")
    with pytest.raises(ValueError, match="built with"):
        build("full").freeze("frozen")
