"""Net1D: a block worked by hand, the published size, padding that does not matter, fits in every mode."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._dynamo import explain
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ecglfm.benchmark.training.flops import encoder_flops
from ecglfm.config import LEADS, EncoderConfig, LoraConfig, Net1dConfig, PreprocessConfig, UserError, load, parse
from ecglfm.models.adapters import adapt
from ecglfm.models.bundle import load_encoder, load_model, save_encoder, save_model
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.encoders.net1d import Block, Net1dEncoder, SameConvolution, maximum_pool
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import architecture, small

SIZES = {"stem": 8, "widths": [8, 16, 16], "blocks": [2, 1, 1], "kernel": 6, "group_width": 4, "norm": "none"}


def encoder_of(**changes) -> Net1dEncoder:
    """A small one as after training: every norm has other numbers."""
    torch.manual_seed(0)
    encoder = make_encoder(small("net1d", **SIZES | changes), LEADS, 100, PreprocessConfig(sampling_rate=100), 5.0)
    assert isinstance(encoder, Net1dEncoder)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.5)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return encoder


def test_the_defaults_are_what_was_published(repository: Path) -> None:
    """30,819,014 numbers in the file, less 153,750 of the classifier and 66,368 of norms that are not in use."""
    with torch.device("meta"):
        encoder = make_encoder(Net1dConfig(kind="net1d"), LEADS, 500, PreprocessConfig(), 10.0)
    assert sum(p.numel() for p in encoder.parameters()) == 30_819_014 - 153_750 - 66_368
    assert (encoder.frames(5000), encoder.frames(2500), encoder.frames(1), encoder.dim) == (20, 10, 1, 1024)
    assert encoder(torch.zeros(2, 12, 5000, device="meta")).shape == (2, 20, 1024)


def test_the_shipped_small_one(repository: Path) -> None:
    config = load(EncoderConfig, repository / "config/encoders/net1d-small.yaml")
    encoder = make_encoder(config.model, LEADS, 500, PreprocessConfig(), 5.0)
    assert round(sum(p.numel() for p in encoder.parameters()) / 1e6, 1) == 1.2
    assert encoder.eval()(torch.zeros(2, 12, 2500)).shape == (2, 10, 256)


def test_a_convolution_is_padded_as_tensorflow_s_same() -> None:
    """ceil(n / stride) frames; of the zeros, half rounded down are in front."""
    for kernel, stride in ((6, 2), (16, 2), (2, 2), (5, 1), (4, 1)):
        convolution = SameConvolution(3, 4, kernel, stride=stride)
        for samples in (1, 2, 7, 8, 33):
            x = torch.randn(2, samples, 3)
            frames = -(-samples // stride)
            zeros = max(0, (frames - 1) * stride + kernel - samples)
            padded = functional.pad(x.transpose(1, 2), (zeros // 2, zeros - zeros // 2))
            expected = functional.conv1d(padded, convolution.weight, convolution.bias, stride)
            torch.testing.assert_close(convolution(x), expected.transpose(1, 2))


def test_zeros_take_part_in_the_maximum() -> None:
    x = torch.tensor([[[-1.0, 5.0], [-2.0, 4.0], [-3.0, 3.0]]])
    assert maximum_pool(x, 2).tolist() == [[[-1.0, 5.0], [0.0, 3.0]]]
    assert maximum_pool(x, 3).tolist() == [[[0.0, 5.0]]]  # one zero in front, one behind, whatever the length


def test_a_block_by_hand() -> None:
    """Two channels become four, three samples two; kernel 2 at stride 2 reads samples 0 and 1, then 2 and a zero."""
    config = architecture(kind="net1d", dim=8, stem=2, widths=[8], blocks=[1], kernel=2, group_width=1, ratio=0.5)
    block = Block(2, 4, config, first=False, stride=2)
    for name, value in (
        ("narrow", [[1.0, 0.0], [0.0, 2.0]]), ("grouped", [[[1.0, 10.0]], [[3.0, -1.0]]]),
        ("wide", [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]), ("squeeze", [[1.0] * 4, [-1.0] * 4]),
        ("excite", [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]]),
    ):  # fmt: skip
        layer = block.get_submodule(name)
        layer.weight.data = torch.tensor(value)
        layer.bias.data = torch.arange(len(value)) / 10

    def swish(x: float) -> float:
        return x / (1 + math.exp(-x))

    x = [[1.0, -2.0], [0.5, 3.0], [-1.0, -0.5]]
    narrow = [[swish(a), 2 * swish(b) + 0.1] for a, b in x]
    s = [[swish(a), swish(b)] for a, b in narrow] + [[0.0, 0.0]]
    grouped = [[s[t][0] + 10 * s[t + 1][0], 3 * s[t][1] - s[t + 1][1] + 0.1] for t in (0, 2)]
    wide = [[swish(a), swish(b) + 0.1, swish(a) + swish(b) + 0.2, 0.3] for a, b in grouped]
    total = sum(sum(row) / 2 for row in zip(*wide, strict=True))
    up, down = swish(total), swish(-total + 0.1)
    factors = [1 / (1 + math.exp(-z)) for z in (up, down + 0.1, 0.2, up + down + 0.3)]
    beside = [[0.0, 1.0, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0]]  # of sample 2 and a zero the zero is larger
    expected = [
        [w * f + b for w, f, b in zip(row, factors, more, strict=True)] for row, more in zip(wide, beside, strict=True)
    ]
    torch.testing.assert_close(block(torch.tensor([x]))[0], torch.tensor(expected))


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("length", [1, 2, 40, 97, 128, 250, 499])
def test_a_padded_record_has_the_frames_that_it_has_alone(length: int, stride: int, norm: str) -> None:
    encoder = encoder_of(norm=norm, stride=stride).double().eval()  # exact arithmetic: no processor's rounding
    x = torch.randn(2, 12, 500, dtype=torch.float64)
    mask = torch.ones(2, 500, dtype=torch.bool)
    mask[0, length:] = False
    x[0, :, length:] = torch.nan  # what the padding holds does not matter
    frames, real = encoder.encode(x, mask)
    alone, _ = encoder.encode(x[:1, :, :length])
    assert real.sum(1).tolist() == [alone.shape[1], encoder.frames(500)]
    torch.testing.assert_close(frames[:1, : alone.shape[1]], alone, atol=1e-12, rtol=1e-12)
    assert not frames[0, alone.shape[1] :].any()
    torch.testing.assert_close(frames[1:], encoder.encode(x[1:])[0], atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(encoder.embed(x, mask)[:1], alone.mean(1), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("padding", [96, 95])
def test_padding_moves_no_statistics_in_training(padding: int) -> None:
    padded, cut = encoder_of(norm="batch", dropout=0.0).train(), encoder_of(norm="batch", dropout=0.0).train()
    x = torch.randn(3, 12, 320)
    longer = functional.pad(x, (0, padding), value=50.0)
    mask = torch.arange(320 + padding).expand(3, -1) < 320
    torch.testing.assert_close(padded.encode(longer, mask)[0][:, :20], cut.encode(x)[0], atol=1e-4, rtol=1e-4)
    for name, value in cut.named_buffers():
        torch.testing.assert_close(padded.get_buffer(name), value, atol=1e-5, rtol=1e-4)


def test_norms_stand_before_each_swish() -> None:
    """Of the stem, and three of a block but two of the very first."""
    norms = [module for module in encoder_of(norm="batch").modules() if isinstance(module, nn.BatchNorm1d)]
    assert len(norms) == 1 + 2 + 3 * 3
    assert not [module for module in encoder_of().modules() if isinstance(module, nn.BatchNorm1d)]


def test_an_empty_lead_and_a_record_of_padding_alone_are_finite() -> None:
    encoder = encoder_of().eval()
    x, mask = torch.zeros(2, 12, 100), torch.zeros(2, 100, dtype=torch.bool)
    mask[0] = True
    frames = encoder(x, mask)
    assert frames.isfinite().all()
    assert not frames[1].any()
    assert encoder.embed(x, mask)[1].tolist() == [0.0] * 16


@pytest.mark.parametrize(
    ("x", "mask", "message"),
    [((1, 11, 500), None, "12 leads"), ((1, 12, 0), None, "shorter than one frame"), ((1, 12, 500), (1, 9), "a mask")],
)
def test_wrong_input(x, mask, message) -> None:
    with pytest.raises(ValueError, match=message):
        encoder_of().encode(torch.zeros(x), None if mask is None else torch.ones(mask, dtype=torch.bool))


def test_saved_and_loaded(tmp_path: Path) -> None:
    encoder, x = encoder_of(norm="batch").eval(), torch.randn(2, 12, 500)
    save_encoder(tmp_path / "encoder", encoder, {"name": "net"})
    again = load_encoder(tmp_path / "encoder")
    assert isinstance(again, Net1dEncoder)
    torch.testing.assert_close(again(x), encoder(x), atol=0, rtol=0)
    model = ECGModel(again, ["a", "b"], "frozen").eval()
    save_model(tmp_path / "model", model, {"task": "t", "kind": "multilabel"})
    torch.testing.assert_close(load_model(tmp_path / "model")(x), model(x), atol=0, rtol=0)


def test_adapters_stand_beside_all_linears_of_blocks() -> None:
    encoder, x = encoder_of().eval(), torch.randn(2, 12, 200)
    before = encoder(x)
    adapt(encoder, LoraConfig(rank=3))
    learns = [name for name, parameter in encoder.named_parameters() if parameter.requires_grad]
    assert len(learns) == 4 * 4 * 2  # blocks, Linears, down and up
    assert "net1d.layers.0.1.excite.up.weight" in learns
    torch.testing.assert_close(encoder(x), before)


@pytest.mark.parametrize("samples", [1000, 999])
def test_operations_are_those_that_pytorch_counts(samples: int) -> None:
    encoder = encoder_of(ratio=2.0).eval()
    with FlopCounterMode(display=False) as counter:
        encoder(torch.zeros(2, 12, samples))
    assert encoder_flops(encoder.config, segments=2, leads=12, samples=samples) == counter.get_total_flops()


def test_it_is_one_graph() -> None:
    encoder, x = encoder_of().eval(), torch.randn(2, 12, 250)
    mask = torch.arange(250).expand(2, -1) < torch.tensor([[250], [131]])
    found = explain(encoder)(x, mask)
    assert (found.graph_count, found.break_reasons) == (1, [])


def test_half_precision_is_near() -> None:
    encoder, x = encoder_of().eval(), torch.randn(2, 12, 250)
    with torch.autocast("cpu", torch.bfloat16):
        found = encoder.embed(x)
    expected = encoder.embed(x)
    assert (found - expected).abs().max() < 0.02 * expected.std()


def test_it_is_not_pretrained() -> None:
    content = {"model": {"kind": "net1d"}, "weights": "pretrain", "pretrain": {"steps": 1}}
    with pytest.raises(UserError, match="`kind: net1d` is not pretrained: write `weights: random`"):
        parse(EncoderConfig, content, "encoder.yaml")
