"""A transformer on patches: what is added to them, what they see, and the scale of the input, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ecglfm.config import EncoderConfig, PreprocessConfig, UserError, load, parse_model
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.encoders.vit import VitEncoder, fixed_positions, normalized
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import SMALL, small

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


def test_fixed_positions():
    """First half of the width: time; second: lead. In each sines, then cosines, of rates 1 and 1/100 at width 8."""
    added = encoder_of(dim=8, heads=2).vit.positions_of(3, 5, torch.zeros(0))
    assert added.shape == (3, 5, 8)
    expected = [math.sin(4), math.sin(0.04), math.cos(4), math.cos(0.04), math.sin(2), math.sin(0.02), math.cos(2), math.cos(0.02)]  # fmt: skip
    torch.testing.assert_close(added[2, 4], torch.tensor(expected))
    together = encoder_of(dim=8, heads=2, tokens="leads").vit.positions_of(1, 5, torch.zeros(0))
    torch.testing.assert_close(together[0, 4], fixed_positions(torch.tensor([4.0]), 8)[0])


@pytest.mark.parametrize(("repeat", "times"), [(False, 1), (True, 2)])
def test_positions_are_added_once_or_before_each_of_two_layers(repeat, times):
    encoder, x = silent(encoder_of(repeat_positions=repeat)), noise(2, 3, 100)
    tokens = encoder.vit.patches(x)
    expected = tokens + times * encoder.vit.positions_of(3, 5, tokens)
    with torch.no_grad():
        for layer in encoder.vit.layers:  # biases of what follows a zero product
            nn.init.zeros_(layer.self_attn.out_proj.bias)
            nn.init.zeros_(layer.fc2.bias)
    torch.testing.assert_close(encoder.vit(x), expected)


def test_a_patch_is_a_product_with_its_samples():
    encoder, x = encoder_of(), noise(1, 3, 110)  # the last ten samples are no patch
    weight, bias = encoder.vit.patches.linear.weight, encoder.vit.patches.linear.bias
    torch.testing.assert_close(encoder.vit.patches(x)[0, 2, 3], weight @ x[0, 2, 60:80] + bias)
    together = encoder_of(tokens="leads")
    weight, bias = together.vit.patches.linear.weight, together.vit.patches.linear.bias
    torch.testing.assert_close(together.vit.patches(x)[0, 0, 3], weight @ x[0, :, 60:80].flatten() + bias)


@pytest.mark.parametrize("attention", ["all", "lead_or_time"])
def test_what_a_patch_sees(attention):
    """After one layer a change in V1 at the fourth patch is seen there, in all of V1, in all leads then; or everywhere."""
    encoder, x = encoder_of(layers=1, attention=attention), noise(1, 3, 100)
    other = x.clone()
    other[0, 2, 65] += 1
    moved = (encoder.vit(x) - encoder.vit(other)).abs().amax(3)[0] > 1e-6
    expected = torch.zeros(3, 5, dtype=torch.bool)
    expected[2], expected[:, 3] = True, True
    assert torch.equal(moved, expected if attention == "lead_or_time" else torch.ones_like(expected))


def test_separators_stand_around_each_lead_and_keep_the_last_position():
    """Nine numbers of keys: with values that tell tokens apart, attention without scores is the mean over them all."""
    encoder, x = encoder_of(layers=1, **FORMS["st_mem"]), noise(1, 3, 100)
    seen = []
    encoder.vit.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    encoder.vit(x)
    vit = encoder.vit
    tokens = seen[0].unflatten(1, (3, 7))[0]
    torch.testing.assert_close(tokens[1, 0], vit.separator + vit.positions[0] + vit.leads[1])
    torch.testing.assert_close(tokens[2, 6], vit.separator + vit.positions[13] + vit.leads[2])
    torch.testing.assert_close(tokens[2, 5], vit.patches(x)[0, 2, 4] + vit.positions[5] + vit.leads[2])


def test_the_closing_norm_is_of_the_mean():
    encoder, x = encoder_of(**FORMS["merl"]), noise(2, 3, 240)
    mean = encoder(x).mean(1)
    torch.testing.assert_close(encoder.embed(x), encoder.vit.norm(mean))
    model = ECGModel(encoder, ["a"], "linear")
    torch.testing.assert_close(model.embed(x), encoder.vit.norm(mean))  # which a head reads


@pytest.mark.parametrize("masked", [False, True])
def test_the_scale_of_a_record_is_over_all_its_leads(masked):
    x = noise(2, 3, 240) * torch.tensor([1.0, 2.0, 5.0])[:, None] + 3
    real, mask = (100 if masked else 240), torch.ones(2, 240, dtype=torch.bool)
    mask[:, real:] = False
    given = mask if masked else None
    whole = normalized(x, given, "record")[..., :real]
    torch.testing.assert_close(whole.mean((1, 2)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(whole.flatten(1).std(1, correction=0), torch.ones(2))
    part = x[..., :real]
    low, high = part.amin((1, 2), keepdim=True), part.amax((1, 2), keepdim=True)
    torch.testing.assert_close(normalized(x, given, "range")[..., :real], (part - low) / (high - low))
    assert normalized(x, given, "none") is x
    for how in ("record", "range"):
        assert not normalized(torch.full((1, 3, 20), 2.0), None, how).any()  # nothing but a level


def test_learnt_positions_end():
    encoder = encoder_of(**FORMS["merl"])
    assert encoder.longest == 259
    assert encoder(noise(1, 3, 259)).shape[1] == 12
    with pytest.raises(ValueError, match="260 samples are more than the 259 that the encoder has positions for"):
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
