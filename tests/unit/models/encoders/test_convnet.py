"""The convolutional baseline: the published shape, a block worked by hand, padding that does not matter."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from ecglfm.config import LEADS, EncoderConfig, PreprocessConfig, UserError, load, parse, parse_model
from ecglfm.models.bundle import load_encoder, load_model, save_encoder, save_model
from ecglfm.models.encoders.convnet import Bottleneck, ConvnetEncoder, average_pool
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import architecture

SMALL = {"kind": "convnet", "dim": 16, "expansion": 2, "blocks": [1, 2, 1], "stem": [4, 8], "kernel": 5}


def encoder_of(**changes) -> ConvnetEncoder:
    """A small one whose blocks do something, as they do after training: every norm has other numbers."""
    torch.manual_seed(0)
    encoder = make_encoder(architecture(**SMALL | changes), LEADS, 100, PreprocessConfig(sampling_rate=100), 5.0)
    assert isinstance(encoder, ConvnetEncoder)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.5)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return encoder


def test_the_shipped_baseline_is_xresnet1d101() -> None:
    config = load(EncoderConfig, "config/encoders/xresnet1d101.yaml")
    encoder = make_encoder(config.model, LEADS, 500, PreprocessConfig(), 5.0)
    stem = (12 * 32 + 32 * 32 + 32 * 64) * 5 + 2 * (32 + 32 + 64)
    block = (256 * 64 + 2 * 64) + (64 * 64 * 5 + 2 * 64) + (64 * 256 + 2 * 256)
    first = (64 * 64 + 2 * 64) + (64 * 64 * 5 + 2 * 64) + (64 * 256 + 2 * 256) + (64 * 256 + 2 * 256)
    assert sum(p.numel() for p in encoder.parameters()) == stem + first + 32 * block == 1_804_672
    convolutions = [m for m in encoder.modules() if isinstance(m, nn.Conv1d)]
    assert len(convolutions) == 3 + 33 * 3 + 1  # with the Linear behind it 101 layers, as named: 100 beside a shortcut
    # 2500 samples, 500 after averaging, then five times half of it, rounded up: 250, 125, 63, 32, 16
    assert encoder.frames(2500) == 16
    assert encoder.eval()(torch.zeros(2, 12, 2500)).shape == (2, 16, 256)


def test_a_new_block_is_its_shortcut() -> None:
    block = Bottleneck(6, 6, inner=3, kernel=5, stride=2).eval()
    x = torch.randn(2, 6, 7)
    pooled = torch.stack([x[..., 0:2].mean(-1), x[..., 2:4].mean(-1), x[..., 4:6].mean(-1), x[..., 6]], dim=-1)
    torch.testing.assert_close(block(x), functional.relu(pooled))


def test_a_block_by_hand() -> None:
    block = Bottleneck(1, 1, inner=1, kernel=3, stride=1).eval()
    for part, weight, scale, shift in ((block.narrow, [2.0], 1.0, -1.0), (block.middle, [1.0, 2.0, 3.0], 0.5, 0.0),
                                       (block.wide, [-1.0], 2.0, 3.0)):  # fmt: skip
        part.conv.weight.data = torch.tensor(weight)[None, None]
        part.norm.weight.data.fill_(scale)
        part.norm.bias.data.fill_(shift)
        part.norm.eps = 1e-12  # nothing beside a variance of 1; some versions of torch refuse 0
    # x 1 2 -1 -> narrow relu(2x - 1) = 1 3 0 -> middle relu(0.5 (a + 2b + 3c)) = 5.5 3.5 1.5
    # -> wide 3 - 2m = -8 -4 0 -> relu(x + wide) = 0 0 0
    torch.testing.assert_close(block(torch.tensor([[[1.0, 2.0, -1.0]]])), torch.zeros(1, 1, 3))
    # x 0.75 0.5 0.5 -> 0.5 0 0 -> 0.5 0.25 0 -> 2 2.5 3 -> 2.75 3 3.5
    torch.testing.assert_close(block(torch.tensor([[[0.75, 0.5, 0.5]]])), torch.tensor([[[2.75, 3.0, 3.5]]]))


def test_average_pooling_leaves_padding_out() -> None:
    x = torch.tensor([[[1.0, 3.0, 5.0, 100.0, 7.0]]])
    mask = torch.tensor([[True, True, True, False, False]])
    assert average_pool(x, mask, 2).tolist() == [[[2.0, 5.0, 0.0]]]
    assert average_pool(x, None, 2).tolist() == [[[2.0, 52.5, 7.0]]]


@pytest.mark.parametrize("downsample", [1, 3])
@pytest.mark.parametrize("length", [40, 97, 128, 250, 499])
def test_a_padded_record_has_the_frames_that_it_has_alone(length: int, downsample: int) -> None:
    encoder = encoder_of(downsample=downsample).double().eval()  # exact arithmetic: no processor's rounding
    x = torch.randn(2, 12, 500, dtype=torch.float64)
    mask = torch.ones(2, 500, dtype=torch.bool)
    mask[0, length:] = False
    x[0, :, length:] = 1e3  # what the padding holds does not matter
    frames, real = encoder.encode(x, mask)
    alone, _ = encoder.encode(x[:1, :, :length])
    assert real.sum(1).tolist() == [alone.shape[1], encoder.frames(500)]
    torch.testing.assert_close(frames[:1, : alone.shape[1]], alone, atol=1e-12, rtol=1e-12)
    assert not frames[0, alone.shape[1] :].any()
    torch.testing.assert_close(frames[1:], encoder.encode(x[1:])[0], atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(encoder.embed(x, mask)[:1], alone.mean(1), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("padding", [96, 95])  # of the latter the masks of later stages are no longer contiguous
def test_padding_moves_no_statistics_in_training(padding: int) -> None:
    padded, cut = encoder_of(dropout=0.0).train(), encoder_of(dropout=0.0).train()
    x = torch.randn(3, 12, 320)
    longer = functional.pad(x, (0, padding), value=50.0)
    mask = torch.arange(320 + padding).expand(3, -1) < 320
    torch.testing.assert_close(padded.encode(longer, mask)[0][:, :20], cut.encode(x)[0], atol=1e-4, rtol=1e-4)
    for name, value in cut.named_buffers():
        torch.testing.assert_close(padded.get_buffer(name), value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("x", "mask", "message"),
    [((1, 11, 500), None, "12 leads"), ((1, 12, 2), None, "shorter than one frame"), ((1, 12, 500), (1, 9), "a mask")],
)
def test_wrong_input(x, mask, message) -> None:
    with pytest.raises(ValueError, match=message):
        encoder_of(downsample=3).encode(torch.zeros(x), None if mask is None else torch.ones(mask, dtype=torch.bool))


def test_saved_and_loaded(tmp_path: Path) -> None:
    encoder, x = encoder_of(downsample=2).eval(), torch.randn(2, 12, 500)
    save_encoder(tmp_path / "encoder", encoder, {"name": "cnn"})
    again = load_encoder(tmp_path / "encoder")
    assert isinstance(again, ConvnetEncoder)
    torch.testing.assert_close(again(x), encoder(x), atol=0, rtol=0)
    assert again.config.model_dump() == SMALL | {"dropout": 0.1, "downsample": 2}
    model = ECGModel(again, ["a", "b"], "frozen").eval()
    save_model(tmp_path / "model", model, {"task": "t", "kind": "multilabel"})
    torch.testing.assert_close(load_model(tmp_path / "model")(x), model(x), atol=0, rtol=0)


def test_there_is_no_front_end_to_freeze() -> None:
    model = ECGModel(encoder_of(), ["a"], "full")
    model.freeze("full", freeze_frontend=True)
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": []}, "model.blocks: List should have at least 1 item"),
        ({"heads": 2}, "kind 'convnet' has no key 'heads'"),
        ({"conv_channels": 8}, "kind 'convnet' has no key 'conv_channels'"),
        ({"dim": 17}, "dim 17 is not a multiple of expansion 2"),
        ({"kernel": 4}, "kernel 4 must be odd"),
        (
            {"kind": "restnet"},
            "kind 'restnet' is none of 'conformer', 'wav2vec2', 'convnet', 'resnet', 'net1d', 's4', 'statistics', 'vit'",
        ),
    ],
)
def test_wrong_architecture(changes, message) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_model(SMALL | changes, "encoder.yaml")
    assert "\n" not in str(caught.value)


def test_a_convnet_is_not_pretrained() -> None:
    with pytest.raises(UserError, match="`kind: convnet` is not pretrained: write `weights: random`"):
        parse(EncoderConfig, {"model": SMALL, "weights": "pretrain", "pretrain": {"steps": 1}}, "encoder.yaml")
