"""S4 encoders: a layer by hand, no look ahead where none is meant, padding that does not matter, published sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from ecglfm.config import LEADS, EncoderConfig, PreprocessConfig, UserError, load, parse_model
from ecglfm.models.bundle import load_encoder, save_encoder
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.encoders.s4 import S4Layer
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import architecture

SMALL = {"kind": "s4", "dim": 16, "layers": 2, "state": 4, "conv_layers": [[3, 2], [5, 1]], "dropout": 0.0}


def encoder_of(**changes) -> ECGEncoder:
    """A small one whose norms have numbers as after training."""
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(**SMALL | changes), LEADS, 100, PreprocessConfig(sampling_rate=100), 2.5)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.5)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return encoder


def exact(**changes) -> ECGEncoder:
    return encoder_of(**changes).double().eval()


ALTERNATING = torch.tensor([1.0, -1.0] * 4)


def test_a_layer_by_hand() -> None:
    """No state; of channel 0 what goes by it, gelu(1) = 0.841345, with an open gate; the others give nothing."""
    layer = S4Layer(architecture(**SMALL | {"dim": 8})).eval()
    for parameter in (layer.state_space.C, layer.state_space.D, layer.output_linear.weight, layer.output_linear.bias):
        nn.init.zeros_(parameter)
    layer.state_space.D.data[0] = 1.0
    layer.output_linear.weight.data[:8] = torch.eye(8)
    layer.output_linear.bias.data[8:] = 100.0
    # 1 + 0.841345 in channel 0: mean 0.105168, deviation 1.134795
    expected = torch.tensor([1.529948, -0.973892] + [0.788541, -0.973892] * 3)
    torch.testing.assert_close(layer(ALTERNATING.expand(1, 3, 8)), expected.expand(1, 3, 8), atol=2e-5, rtol=0)


def test_dropout_takes_a_channel_of_a_record_at_all_times() -> None:
    layer, dropped = S4Layer(architecture(**SMALL | {"dropout": 0.5})).train(), []
    layer.dropout.register_forward_hook(lambda module, args, output: dropped.append((args[0], output)))
    layer(torch.randn(3, 7, 16))
    assert len(dropped) == 2
    for before, after in dropped:
        kept = after[..., :1] != 0
        assert 0.1 < kept.float().mean() < 0.9
        torch.testing.assert_close(after, torch.where(kept, 2 * before, 0.0))


@pytest.mark.parametrize("conv_layers", [[[3, 2], [5, 1]], []])
def test_no_frame_depends_on_what_comes_after_it(conv_layers: list[list[int]]) -> None:
    causal, both = (exact(conv_layers=conv_layers, bidirectional=way) for way in (False, True))
    x = torch.randn(2, 12, 300, dtype=torch.float64)
    other = torch.cat([x[..., :201], torch.randn(2, 12, 99, dtype=torch.float64)], 2)
    # the first convolution sees one sample more, the second four more: frame 97 the samples up to 199
    seen = 98 if conv_layers else 201
    before, after = causal(x), causal(other)
    torch.testing.assert_close(before[:, :seen], after[:, :seen], atol=1e-13, rtol=0)
    assert (before - after)[:, seen + 3 :].abs().amin(2).max() > 0.01
    assert (both(x) - both(other))[:, : seen - 10].abs().amin(1).max() > 1e-4


@pytest.mark.parametrize("kernel_frames", [0, 50])
def test_a_record_twice_as_long_begins_with_the_frames_of_its_half(kernel_frames: int) -> None:
    encoder, x = exact(kernel_frames=kernel_frames), torch.randn(1, 12, 800, dtype=torch.float64)
    for longer, shorter in ((800, 400), (400, 200), (200, 100)):  # 50 frames are the last
        torch.testing.assert_close(
            encoder(x[..., :longer])[:, : shorter // 2 - 3], encoder(x[..., :shorter])[:, :-3], atol=1e-12, rtol=0
        )


@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True, "downsample": 3}, {"conv_layers": [], "downsample": 2}]
)
@pytest.mark.parametrize("length", [7, 96, 97, 250, 299])
def test_a_padded_record_has_the_frames_that_it_has_alone(options: dict, length: int) -> None:
    encoder = exact(**options)
    x, mask = torch.randn(2, 12, 300, dtype=torch.float64), torch.ones(2, 300, dtype=torch.bool)
    mask[0, length:] = False
    x[0, :, length:] = 1e3  # what the padding holds does not matter
    frames, real = encoder.encode(x, mask)
    alone = encoder(x[:1, :, :length])
    assert real.sum(1).tolist() == [alone.shape[1], encoder.frames(300)] == [encoder.frames(length), frames.shape[1]]
    torch.testing.assert_close(frames[:1, : alone.shape[1]], alone, atol=1e-12, rtol=1e-12)
    assert not frames[0, alone.shape[1] :].any()
    torch.testing.assert_close(frames[1:], encoder(x[1:]), atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(encoder.embed(x, mask)[:1], alone.mean(1), atol=1e-12, rtol=1e-12)


def test_padding_moves_no_statistics_in_training() -> None:
    padded, cut, x = encoder_of().train(), encoder_of().train(), torch.randn(3, 12, 320)
    longer, mask = functional.pad(x, (0, 95), value=50.0), torch.arange(415).expand(3, -1) < 320
    torch.testing.assert_close(padded(longer, mask)[:, :160], cut(x), atol=1e-4, rtol=1e-4)
    for name, value in cut.named_buffers():
        torch.testing.assert_close(padded.get_buffer(name), value, atol=1e-5, rtol=1e-4)


def test_a_frozen_front_end_keeps_its_statistics_too() -> None:
    model, x = ECGModel(encoder_of(), ["a"], "full"), torch.randn(4, 12, 200)
    for freeze_frontend in (True, False):
        model.freeze("full", freeze_frontend=freeze_frontend)
        model.train()
        before = {name: value.clone() for name, value in model.encoder.frontend.state_dict().items()}
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        model(x).square().sum().backward()
        optimizer.step()
        moved = [name for name, value in model.encoder.frontend.state_dict().items() if not value.equal(before[name])]
        assert len(moved) == (0 if freeze_frontend else len(before))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_what_is_planted_is_learnt(bidirectional: bool) -> None:
    """A beat of 3 Hz or of 5 Hz at another place in each record: no frame alone tells."""
    model = ECGModel(encoder_of(bidirectional=bidirectional, dropout=0.1), ["fast"], "full")
    model.freeze("full", freeze_frontend=False)
    generator = torch.Generator().manual_seed(0)
    target = (torch.arange(32) % 2).float()[:, None]
    time = torch.arange(250) / 100 + torch.rand(32, 1, generator=generator)
    beats = torch.sin(2 * torch.pi * (3 + 2 * target) * time)[:, None]
    x = beats + 0.5 * torch.randn(32, 12, 250, generator=generator)
    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=1e-2), []
    for _ in range(25):
        loss = functional.binary_cross_entropy_with_logits(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.5
    assert losses[-1] < 0.1


def test_published_sizes(repository: Path) -> None:
    """Counts of the authors' own code: 2,932,736 of ECG-CPC's encoder; 2,183,239 of the supervised S4 with 71 outputs."""
    supervised = load(EncoderConfig, repository / "config/encoders/s4.yaml").model
    published = architecture(kind="s4", dim=512, layers=4, kernel_frames=1200)
    for model, count in ((published, 2_932_736), (supervised, 2_183_239 - 71 * 513)):
        with torch.device("meta"):
            encoder = ECGEncoder(model, LEADS, 500, PreprocessConfig(), 5.0)
        assert sum(parameter.numel() for parameter in encoder.parameters()) == count
    assert encoder.frames(2500) == 500  # at 100 Hz


def test_saved_and_loaded(tmp_path: Path) -> None:
    encoder, x = encoder_of(kernel_frames=40, bidirectional=True).eval(), torch.randn(2, 12, 500)
    save_encoder(tmp_path, encoder, {"name": "s4"})
    again = load_encoder(tmp_path)
    torch.testing.assert_close(again(x), encoder(x), atol=0, rtol=0)
    assert again.config == encoder.config


def test_the_vector_may_be_the_last_real_frame() -> None:
    """Of a record of 200 samples its frame 99, with padding behind it and without; of one that is all padding zeros."""
    encoder, x = exact(pool="last"), torch.randn(3, 12, 300, dtype=torch.float64)
    assert "pool" in encoder.config.model_dump()
    assert "pool" not in exact().config.model_dump()  # what was trained before there was that key stays what it is
    mask = torch.arange(300) < torch.tensor([[300], [200], [0]])
    frames, found = encoder(x, mask), encoder.embed(x, mask)
    torch.testing.assert_close(found[0], frames[0, 149], atol=0, rtol=0)
    torch.testing.assert_close(found[1], encoder(x[1:2, :, :200])[0, 99], atol=1e-12, rtol=0)
    assert not found[2].any()
    torch.testing.assert_close(encoder.embed(x), encoder(x)[:, -1], atol=0, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": 5}, "state 5 must be even"),
        ({"conv_layers": [[2, 2]]}, "kernel 2 must be odd"),
        ({"heads": 2}, "kind 's4' has no key 'heads'"),
        ({"conv_layers": [[3, 0]]}, "greater than or equal to 1"),
        ({"pool": "last", "bidirectional": True}, "pool: last is for layers that see what was before"),
    ],
)
def test_wrong_architecture(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_model(SMALL | changes, "encoder.yaml")
    assert "\n" not in str(caught.value)
