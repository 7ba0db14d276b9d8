"""A transformer on patches: what is added to them, what they see, and the scale of the input, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ecglfm.config import EncoderConfig, PreprocessConfig, UserError, load, parse_model
from ecglfm.models.encoders.context import Stack
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.encoders.vit import VitEncoder
from ecglfm.models.heads import ECGModel
from ecglfm.training.pretraining.layer_probe import LayerProbe
from tests.unit.architectures import SMALL, asked_by, small

LEADS = ["I", "II", "V1"]
#: The forms of ECG-JEPA, ST-MEM and MERL.
FORMS = {
    "jepa": {"repeat_positions": True, "attention": "lead_or_time", "qkv_bias": False},
    "st_mem": {
        "positions": "learnt", "max_patches": 12, "head_dim": 12, "lead_vectors": True, "separators": True,
        "patch_norm": True, "norm": "mean", "normalize": "record",
    },
    "merl": {
        "positions": "learnt", "max_patches": 12, "tokens": "leads", "norm": "mean", "normalize": "range",
        "patch_bias": False,
    },
}  # fmt: skip
EVERY = pytest.mark.parametrize("form", list(FORMS))


def encoder_of(leads=tuple(LEADS), **changes) -> VitEncoder:
    torch.manual_seed(0)
    model = small("vit", **{"dropout": 0.0} | changes)
    encoder = make_encoder(model, leads, 100, PreprocessConfig(sampling_rate=100), 2.5)
    assert isinstance(encoder, VitEncoder)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, mean=float(parameter.dim() == 1), std=0.3)
    return encoder.eval()


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def silent(encoder: VitEncoder) -> VitEncoder:
    """Layers that add nothing, so that what comes out is what went in."""
    for name, parameter in encoder.named_parameters():
        if ".out_proj." in name or ".fc2." in name:
            nn.init.zeros_(parameter)
    return encoder


@EVERY
def test_a_padded_record_has_in_its_real_frames_what_it_has_alone(form):
    encoder, x, mask = encoder_of(**FORMS[form]), noise(3, 3, 240), torch.ones(3, 240, dtype=torch.bool)
    mask[1, 130:], mask[2] = False, False
    frames, real = encoder.encode(x, mask)
    alone = encoder(x[1:2, :, :130])
    lines, patches = (1 if form == "merl" else 3), 12
    assert frames.shape == (3, lines * patches, 16)
    assert encoder.frames(240) == lines * patches
    assert real.unflatten(1, (lines, patches))[1].sum(1).tolist() == [6] * lines  # six patches of 20 are whole
    torch.testing.assert_close(frames[1][real[1]], alone[0])
    torch.testing.assert_close(encoder.embed(x, mask)[1], encoder.embed(x[1:2, :, :130])[0])
    assert not frames[2].any()
    torch.testing.assert_close(encoder(x[:1]), frames[:1])
    assert encoder.embed(x, mask).isfinite().all()


@pytest.mark.parametrize("positions", ["fixed", "learnt"])
@pytest.mark.parametrize(("repeat", "times"), [(False, 1), (True, 2)])
def test_positions_are_added_once_or_before_each_of_two_layers(repeat, times, positions):
    encoder, x = silent(encoder_of(repeat_positions=repeat, positions=positions, max_patches=12)), noise(2, 3, 100)
    tokens = encoder.vit.patches(encoder.vit.patches.cut(x))
    expected = tokens + times * encoder.vit.positions_of(3, 5, tokens)
    with torch.no_grad():
        for layer in encoder.vit.layers:  # biases of what follows a zero product
            nn.init.zeros_(layer.self_attn.out_proj.bias)
            nn.init.zeros_(layer.fc2.bias)
    torch.testing.assert_close(encoder.vit.tokens(x), expected)


@pytest.mark.parametrize("attention", ["all", "lead_or_time"])
def test_what_a_patch_sees(attention):
    """After one layer a change in V1 at the fourth patch is seen there, in all of V1, in all leads then; or everywhere."""
    encoder, x = encoder_of(layers=1, attention=attention), noise(1, 3, 100)
    other = x.clone()
    other[0, 2, 65] += 1
    moved = (encoder.vit.tokens(x) - encoder.vit.tokens(other)).abs().amax(3)[0] > 1e-6
    expected = torch.zeros(3, 5, dtype=torch.bool)
    expected[2], expected[:, 3] = True, True
    assert torch.equal(moved, expected if attention == "lead_or_time" else torch.ones_like(expected))


def test_separators_stand_around_each_lead_and_keep_the_last_position():
    """Nine numbers of keys: with values that tell tokens apart, attention without scores is the mean over them all."""
    encoder, x = encoder_of(layers=1, **FORMS["st_mem"]), noise(1, 3, 100)
    seen = []
    encoder.vit.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    encoder.vit.tokens(x)
    vit = encoder.vit
    tokens = seen[0].unflatten(1, (3, 7))[0]
    torch.testing.assert_close(tokens[1, 0], vit.separator + vit.positions[0] + vit.leads[1])
    torch.testing.assert_close(tokens[2, 6], vit.separator + vit.positions[13] + vit.leads[2])
    torch.testing.assert_close(tokens[2, 5], vit.patches(vit.patches.cut(x))[0, 2, 4] + vit.positions[5] + vit.leads[2])


def test_the_closing_norm_is_of_the_mean():
    encoder, x = encoder_of(**FORMS["merl"]), noise(2, 3, 240)
    mean = encoder(x).mean(1)
    torch.testing.assert_close(encoder.embed(x), encoder.vit.norm(mean))
    model = ECGModel(encoder, ["a"], "linear")
    torch.testing.assert_close(model.embed(x), encoder.vit.norm(mean))  # which a head reads


@EVERY
def test_some_frames_are_made_of_their_patches_alone(form):
    """All of them, in another order, are those of `encode`; of fewer none depends on the others, and a gap is no end."""
    encoder, x = encoder_of(**FORMS[form]), noise(2, 3, 240)
    lines, patches = encoder.grid(240)
    count = lines * patches
    assert (lines, patches) == (1 if form == "merl" else 3, 12)
    places = torch.stack([torch.randperm(count, generator=torch.Generator().manual_seed(row)) for row in range(2)])
    whole = encoder(x) if encoder.config.norm == "frames" else encoder.vit.norm(encoder(x))
    whole = whole.gather(1, places[..., None].expand(-1, -1, 16))
    torch.testing.assert_close(encoder.encode_some(x, places), whole)
    some, other = places[:, :5], x.clone()
    seen = encoder.encode_some(x, some)
    for row in range(2):
        for place in places[row, 5:].tolist():  # as its numbers say, in one lead or in all
            line, time = divmod(place, patches)
            other[row, slice(None) if lines == 1 else line, 20 * time : 20 * time + 20] = 7.0
    if encoder.config.normalize == "none":
        assert torch.equal(encoder.encode_some(other, some), seen)
    assert not torch.allclose(encoder.encode_some(other, places)[:, :5], whole[:, :5])
    torch.testing.assert_close(encoder.encode_some(x, some.flip(1)).flip(1), seen)


@EVERY
def test_some_frames_of_a_padded_record_are_those_that_it_has_alone(form):
    encoder, x, mask = encoder_of(**FORMS[form]), noise(2, 3, 240), torch.ones(2, 240, dtype=torch.bool)
    mask[1, 130:] = False  # six patches are left
    lines, places = encoder.grid(240)[0], torch.tensor([[0, 3, 11, 7], [4, 1, 6, 11]])
    real = places < torch.tensor([[12], [6]])
    frames = encoder.encode_some(x, places, mask, real)
    torch.testing.assert_close(frames[:1], encoder.encode_some(x[:1], places[:1]))
    torch.testing.assert_close(frames[1:, :2], encoder.encode_some(x[1:, :, :130], places[1:, :2]))
    assert frames.isfinite().all()
    assert lines in (1, 3)


def test_its_layers_are_a_stack_and_recomputed_they_give_the_same():
    encoder, x = encoder_of(**FORMS["jepa"]), noise(2, 3, 240)
    assert all(hasattr(encoder.context, name) for name in asked_by(Stack))
    assert len(encoder.context.layers) == encoder.config.depth == 2
    places = torch.arange(20).expand(2, -1)

    def gradients() -> list[torch.Tensor]:
        encoder.zero_grad()
        encoder.encode_some(x, places).square().sum().backward()
        return [parameter.grad.clone() for parameter in encoder.parameters()]

    calls, usual = [], gradients()
    encoder.context.checkpointing = True
    encoder.context.layers[0].register_forward_pre_hook(lambda *_: calls.append(1))
    assert all(map(torch.equal, gradients(), usual))
    assert len(calls) == 2


def test_in_training_every_forward_shows_its_layers():
    encoder, x = encoder_of(**FORMS["st_mem"]), noise(2, 3, 240)
    with LayerProbe(encoder.context) as probe:
        encoder.embed(x).square().sum().backward()
    states = probe.states()
    assert len(states) == 2
    assert all(state.change > 1e-3 and state.gradient > 0 for state in states)
    with torch.no_grad():
        alone = encoder.embed(x)
    assert torch.equal(alone, encoder.embed(x).detach())


@EVERY
def test_patches_are_what_is_read(form):
    encoder, x = encoder_of(**FORMS[form]), noise(2, 3, 250)
    read = encoder.standardized(x)[..., :240].unflatten(2, (12, 20))
    expected = read.transpose(1, 2).flatten(2) if form == "merl" else read.flatten(1, 2)
    assert torch.equal(encoder.patches(x), expected)
    mask = (torch.arange(250) < 70).expand(2, -1)
    assert not encoder.patches(x, mask).unflatten(1, encoder.grid(250))[:, :, 4:].any()


def test_learnt_positions_end():
    encoder = encoder_of(**FORMS["merl"])
    assert encoder.longest == 259
    assert encoder(noise(1, 3, 259)).shape[1] == 12
    with pytest.raises(ValueError, match="260 samples are more than the 259 that the encoder can read at once"):
        encoder(noise(1, 3, 260))
    assert encoder_of().longest is None
    with pytest.raises(ValueError, match="19 samples are shorter than one frame"):
        encoder(noise(1, 3, 19))


@EVERY
def test_operations_are_those_that_are_counted(form):
    encoder, x = encoder_of(**FORMS[form]), noise(2, 3, 240)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        encoder(x)
    assert VitEncoder.flops(encoder.config, segments=2, leads=3, samples=240) == counter.get_total_flops()


@pytest.mark.parametrize(("name", "millions"), [("vit-tiny", 3.6), ("vit-base", 85.1)])
def test_shipped_sizes(repository: Path, name, millions):
    config = load(EncoderConfig, repository / f"config/encoders/{name}.yaml")
    with torch.device("meta"):
        encoder = make_encoder(config.model, ["I"] * 12, 500, PreprocessConfig(), 5.0)
    assert sum(parameter.numel() for parameter in encoder.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "dim 16 is no multiple of heads 3; give head_dim, or change one of them"),
        ({"dim": 10, "heads": 2}, "dim 10 is no multiple of 4, as fixed positions need it"),
        ({"tokens": "leads", "lead_vectors": True}, "lead_vectors: patches of all leads together"),
        ({"tokens": "leads", "attention": "lead_or_time"}, "attention: lead_or_time: patches of all leads together"),
        ({"separators": True}, "separators need `positions: learnt`"),
        ({"separators": True, "positions": "learnt", "repeat_positions": True}, "separators need `positions: learnt`"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(UserError) as error:
        parse_model({"kind": "vit", "dim": 16} | SMALL["vit"] | changes, "e.yaml")
    assert message in str(error.value)


def test_a_segment_that_it_cannot_read_is_told_when_it_is_made() -> None:
    with pytest.raises(UserError, match=r"250 samples, fewer than one patch of 251; give a shorter patch"):
        encoder_of(patch=251)
    with pytest.raises(UserError, match=r"250 samples, 25 patches of 10, and there are positions for 24; raise"):
        encoder_of(patch=10, positions="learnt", max_patches=24)
    assert encoder_of(patch=10, positions="learnt", max_patches=25).longest == 259
