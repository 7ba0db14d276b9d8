"""Residual networks of basic blocks: published sizes, blocks worked by hand, padding that does not matter, poolings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.models.bundle import load_encoder, load_model, save_encoder, save_model
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.encoders.resnet import BasicBlock, PreactivationBlock, ResnetEncoder
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import architecture

BASIC = {"kind": "resnet", "dim": 16, "widths": [8, 16], "blocks": [1, 2], "strides": [1, 2], "stem": [5, 2]}
PRE = BASIC | {"strides": [1, 4], "stem": [7, 1], "kernel": 7, "preactivation": True}
FORMS = {"basic": BASIC, "pooled": BASIC | {"max_pool": True, "pool": "mean_max"}, "pre": PRE}
PUBLISHED = {
    "merl": ({"dim": 512}, 3_848_832, 5000, 313),
    "echonext": ({"dim": 128, "widths": [16, 32, 64, 128], "blocks": [3, 4, 6, 3], "kernel": 7, "stem": [15, 2],
                  "max_pool": True, "pool": "mean_max"}, 1_046_080 - (263 + 1) * 12, 2500, 79),
    "code": ({"dim": 320, "widths": [64, 128, 196, 256, 320], "blocks": [1] * 5, "strides": [1, 4, 4, 4, 4],
              "kernel": 17, "stem": [17, 1], "preactivation": True}, 6_919_584, 4096, 16),
}  # fmt: skip


def encoder_of(form: str = "basic", seconds: float = 5.0, **changes) -> ResnetEncoder:
    """A small one, as after training: every norm has other numbers."""
    torch.manual_seed(0)
    model = architecture(**FORMS[form] | changes)
    encoder = make_encoder(model, LEADS, 100, PreprocessConfig(sampling_rate=100), seconds)
    assert isinstance(encoder, ResnetEncoder)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.5)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return encoder


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_come_out(name: str) -> None:
    keys, numbers, samples, frames = PUBLISHED[name]
    with torch.device("meta"):
        encoder = make_encoder(architecture(kind="resnet", **keys), LEADS, 500, PreprocessConfig(), 5.0).eval()
        assert sum(parameter.numel() for parameter in encoder.parameters()) == numbers
        assert encoder.frames(samples) == frames
        assert encoder(torch.empty(2, 12, samples)).shape == (2, frames, keys["dim"])


def set_norm(norm: nn.BatchNorm1d, scale: float, shift: float) -> None:
    norm.weight.data.fill_(scale)
    norm.bias.data.fill_(shift)
    norm.eps = 1e-12  # nothing beside a variance of 1; some versions of torch refuse 0


def test_a_basic_block_by_hand() -> None:
    block = BasicBlock(1, 1, kernel=3, stride=2, dropout=0.0).eval()
    for part, weight, scale, shift in ((block.first, [1.0, 2.0, 3.0], 1.0, -1.0), (block.second, [-1.0, 1.0, 0.0], 2.0, 1.0),
                                       (block.shortcut, [2.0], 1.0, 0.5)):  # fmt: skip
        part.conv.weight.data = torch.tensor(weight)[None, None]
        set_norm(part.norm, scale, shift)
    # x 1 2 -1 1 -> at 0 and 2: 0+2+6-1 = 7, 2-2+3-1 = 2 -> 7, 2-7 = -5, times 2 plus 1: 15, -9
    # beside: 2*1+0.5, 2*-1+0.5 -> sums 17.5, -10.5 -> relu
    x = torch.tensor([[[1.0, 2.0, -1.0, 1.0]]])
    out, beside = block(x, x)
    torch.testing.assert_close(out, torch.tensor([[[17.5, 0.0]]]))
    assert beside is out
    assert BasicBlock(4, 4, kernel=3, stride=1, dropout=0.0).shortcut is None


def test_a_preactivation_block_by_hand() -> None:
    block = PreactivationBlock(1, 1, kernel=3, stride=2, dropout=0.0).eval()
    block.first.conv.weight.data = torch.tensor([[[0.0, 1.0, 1.0]]])
    set_norm(block.first.norm, 1.0, 0.0)
    block.second.weight.data = torch.tensor([[[1.0, 2.0, 3.0]]])  # padding (3 + 1 - 2) // 2 = 1
    set_norm(block.norm, -1.0, 3.0)
    assert block.shortcut is None
    x, beside = torch.tensor([[[1.0, 2.0, -3.0, 1.0, 9.0]]]), torch.tensor([[[-1.0, -2.0, -30.0, 5.0, 99.0]]])
    # first: 1+2, 2-3, -3+1, 1+9, 9 -> relu 3 0 0 10 9; second at 0 and 2: 0+6+0, 0+0+30; the fifth is of no whole stride
    # the maximum of pairs beside: -1, 5 -> sums 5, 35 -> norm 3 - sum -> -2, -32 -> relu
    out, total = block(x, beside)
    torch.testing.assert_close(total, torch.tensor([[[5.0, 35.0]]]))
    torch.testing.assert_close(out, torch.tensor([[[0.0, 0.0]]]))
    set_norm(block.norm, 1.0, -6.0)
    torch.testing.assert_close(block(x, beside)[0], torch.tensor([[[0.0, 29.0]]]))
    with_width = PreactivationBlock(1, 2, kernel=3, stride=1, dropout=0.0)
    assert isinstance(with_width.shortcut, nn.Conv1d)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", [40, 97, 128, 250, 499])
def test_a_padded_record_has_the_frames_that_it_has_alone(length: int, form: str) -> None:
    encoder = encoder_of(form).double().eval()  # exact arithmetic: no processor's rounding
    x = torch.randn(2, 12, 500, dtype=torch.float64)
    mask = torch.ones(2, 500, dtype=torch.bool)
    mask[0, length:] = False
    x[0, :, length:] = torch.nan  # what the padding holds does not matter
    frames, real = encoder.encode(x, mask)
    alone, _ = encoder.encode(x[:1, :, :length])
    assert real.sum(1).tolist() == [encoder.frames(length), encoder.frames(500)] == [alone.shape[1], frames.shape[1]]
    torch.testing.assert_close(frames[:1, : alone.shape[1]], alone, atol=1e-12, rtol=1e-12)
    assert not frames[0, alone.shape[1] :].any()
    torch.testing.assert_close(frames[1:], encoder.encode(x[1:])[0], atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(encoder.embed(x, mask)[:1], encoder.embed(x[:1, :, :length]), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_padding_moves_no_statistics_in_training(form: str) -> None:
    padded, cut = (encoder_of(form, dropout=0.0).double().train() for _ in range(2))
    x = torch.randn(3, 12, 320, dtype=torch.float64)
    longer = functional.pad(x, (0, 95), value=50.0)
    mask = torch.arange(415).expand(3, -1) < 320
    alone = cut.encode(x)[0]
    torch.testing.assert_close(padded.encode(longer, mask)[0][:, : alone.shape[1]], alone, atol=1e-10, rtol=1e-10)
    for name, value in cut.named_buffers():
        torch.testing.assert_close(padded.get_buffer(name), value, atol=1e-6, rtol=1e-6)


def test_poolings_by_hand() -> None:
    frames = torch.tensor([[[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]]]).repeat(1, 1, 8)
    mask = torch.tensor([[True, True, False]])
    encoder = encoder_of("pooled")
    assert (encoder.dim, encoder.embedding_dim, encoder.longest) == (16, 32, None)
    mean, maximum = torch.tensor([[2.0, 1.0] * 8]), torch.tensor([[3.0, 2.0] * 8])
    torch.testing.assert_close(encoder.pool(frames, mask), torch.cat([mean, maximum], 1))
    torch.testing.assert_close(encoder_of("basic").pool(frames, mask), mean)


def test_all_frames_joined_are_of_one_length() -> None:
    encoder = encoder_of("pre", seconds=0.2, pool="flatten").eval()  # 20 samples, 5 frames
    assert (encoder.embedding_dim, encoder.longest) == (80, 20)
    x = torch.randn(2, 12, 20)
    frames = encoder(x)
    assert torch.equal(encoder.embed(x).unflatten(1, (16, 5)).transpose(1, 2), frames)  # channel by channel
    short = encoder.embed(x[..., :9]).unflatten(1, (16, 5))  # what a shorter record lacks is zero
    assert torch.equal(short[..., :2].transpose(1, 2), encoder(x[..., :9]))
    assert not short[..., 2:].any()
    mask = torch.arange(20).expand(2, -1) < 9
    torch.testing.assert_close(encoder.embed(x, mask).unflatten(1, (16, 5)), short)
    with pytest.raises(ValueError, match="21 samples are more than the 20 that the encoder can read at once; give"):
        encoder(torch.zeros(1, 12, 21))


@pytest.mark.parametrize("mode", ["full", "linear", "frozen"])
@pytest.mark.parametrize("changes", [{"form": "pooled"}, {"form": "pre", "pool": "flatten"}])
def test_saved_and_loaded_in_every_mode(tmp_path: Path, mode: str, changes: dict) -> None:
    encoder, x = encoder_of(**changes).eval(), torch.randn(2, 12, 500)
    save_encoder(tmp_path / "encoder", encoder, {"name": "cnn"})
    again = load_encoder(tmp_path / "encoder")
    assert isinstance(again, ResnetEncoder)
    torch.testing.assert_close(again.embed(x), encoder.embed(x), atol=0, rtol=0)
    model = ECGModel(again, ["a", "b"], mode).eval()
    assert model.embedding_dim == (16 if mode == "frozen" else encoder.embedding_dim)
    assert model.embed(x).shape == (2, model.embedding_dim)
    save_model(tmp_path / "model", model, {"task": "t", "kind": "multilabel"})
    torch.testing.assert_close(load_model(tmp_path / "model")(x), model(x), atol=0, rtol=0)


def test_all_of_it_learns() -> None:
    model = ECGModel(encoder_of("pre"), ["a"], "full")
    model.freeze("full", freeze_frontend=True)
    model(torch.randn(2, 12, 500)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
