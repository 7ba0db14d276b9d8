"""The arithmetic that a step is said to need, against PyTorch's own counter of what is carried out."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ecglfm.benchmark.training.flops import encoder_flops, forward_flops
from ecglfm.config import LEADS, EncoderConfig, ModelConfig, PreprocessConfig, PretrainConfig, load
from ecglfm.models.encoders import make_encoder
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.pretraining import make_objective
from ecglfm.models.pretraining.cpc import Cpc
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from tests.unit.architectures import architecture

WAV2VEC2 = architecture(kind="wav2vec2", layers=3, dim=96, ffn_dim=160, heads=4, conv_channels=32, positional_kernel=33)
JOINED = architecture(
    kind="wav2vec2", layers=2, dim=32, ffn_dim=64, heads=4, conv_channels=32, positional_kernel=33,
    conv_layers=[(10, 4), (3, 2), (3, 2), (2, 2), (2, 2)], joined_leads=True, projection=True,
)  # fmt: skip
MODELS = {"wav2vec2": WAV2VEC2, "joined": JOINED}


def encoder_of(model: ModelConfig) -> ECGEncoder:
    preprocess = PreprocessConfig()
    return ECGEncoder(model, preprocess.leads, preprocess.sampling_rate, preprocess, 5.0)


def counted(action) -> float:
    # PyTorch does not count its fused attention on a CPU; the plain one makes the same products. The counter hooks every
    # module, so that all are called: what the forms written by hand do besides is not part of the model.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        action()
    return counter.get_total_flops()


def test_a_step_by_hand():
    """Two segments of 8 samples of 1 lead: 4 frames of 2 channels; width 8, one layer; 2 frames are masked."""
    model = architecture(layers=1, dim=8, ffn_dim=16, heads=1, kernel=3, conv_channels=2, conv_layers=[(2, 2)])
    pretrain = PretrainConfig(steps=1, quantizer={"codes": 5, "code_dim": 3, "final_dim": 6})
    flops = forward_flops(model, pretrain, segments=2, leads=1, samples=8, masked=2)
    assert flops["frontend"] == 2 * (2 * 4 * 2 * 1 * 2 + 2 * 4 * 2 * 8)  # convolution, Linear to the width
    feed_forward, linears, positions = 2 * 2 * (2 * 4 * 8 * 16), 4 * 2 * (4 * 8 * 8), 2 * 7 * 8 * 8
    attention = 2 * (4 * 8 * 4) + 2 * (4 * 4 * 8) + 2 * (4 * 8 * 7)  # by content, values, by relative position
    convolution = 2 * (4 * 8 * 16) + 2 * (4 * 8 * 3) + 2 * (4 * 8 * 8)
    assert flops["layers"] == 2 * (feed_forward + linears + attention + convolution) + positions
    codes, heads = 2 * (2 * 2 * 5) + 2 * (2 * 5 * 3) + 2 * (2 * 3 * 6), 2 * (2 * 8 * 6) + 2 * (2 * 8 * 5)
    assert flops["objective"] == 2 * (codes + heads + 2 * (2 * 6 * 2)) + 2 * 1 * 8 * 1  # frames with frames, one pair


def test_the_whole_objective_is_counted(repository):
    config = load(EncoderConfig, repository / "config/encoders/tiny.yaml")
    assert config.pretrain is not None
    torch.manual_seed(0)
    objective = MaskedCodes(encoder_of(config.model), config.pretrain)
    output = {}
    found = counted(lambda: output.update(objective(torch.randn(6, 12, 2500), step=0, generator_seed=1)))
    masked = 156 * float(output["masked_fraction"])
    expected = forward_flops(config.model, config.pretrain, segments=6, leads=12, samples=2500, masked=masked)
    assert sum(expected.values()) == pytest.approx(found, rel=0.015)  # depthwise convolutions are not always counted


def test_what_cpc_needs_is_counted():
    model = architecture(kind="s4", layers=1, dim=16, state=4, dropout=0.0)
    said = {"kind": "cpc", "ahead": [2, 5], "anchors": 7, "negatives": 3}
    pretrain = PretrainConfig(steps=1, objective=said)
    objective = Cpc(encoder_of(model), pretrain)
    batch, x = {"signal": torch.zeros(4, 1000, 12, dtype=torch.int16)}, torch.randn(4, 12, 1000)
    (noise,) = objective.draw([batch], 1, objective.prepare([batch], 1))
    objective.encoder(x)  # what kernels are made of is computed once
    found = counted(lambda: objective(x, step=0, noise=noise)) - counted(lambda: objective.encoder(x))
    flops = forward_flops(model, pretrain, segments=4, leads=12, samples=1000, masked=0)
    # 4 segments, 2 distances, 7 frames: a projection of 16 to 16, and products with 500 frames
    assert found == flops["objective"] == 2 * 4 * 2 * 7 * 16 * (16 + 500)


@pytest.mark.parametrize("kind", ["jepa", "mae"])
@pytest.mark.parametrize(
    "form", [{"tokens": "leads"}, {"attention": "lead_or_time"}, {"separators": True, "positions": "learnt"}]
)
def test_what_hiding_patches_needs_is_counted(kind, form):
    model = architecture(kind="vit", layers=2, dim=16, ffn_dim=24, heads=2, patch=50, dropout=0.0, **form)
    hidden = {"share": 0.7, "length": 3} | ({} if "tokens" in form else {"leads": 2})
    pretrain = PretrainConfig(steps=1, crop_seconds=2.0, objective={"kind": kind, "hidden": hidden})
    preprocess = PreprocessConfig()
    objective = make_objective(make_encoder(model, LEADS, 500, preprocess, 2.0), pretrain)
    batch, x = {"signal": torch.zeros(4, 1000, 12, dtype=torch.int16)}, torch.randn(4, 12, 1000)
    (noise,) = objective.draw([batch], 1, objective.prepare([batch], 1))
    found = counted(lambda: objective(x, step=0, noise=noise))
    flops = forward_flops(model, pretrain, segments=4, leads=12, samples=1000, masked=0)
    assert found == pytest.approx(
        flops["frontend"] + flops["layers"] + flops["objective"] + 3 * flops["target"], rel=1e-9
    )
    assert bool(flops["target"]) == (kind == "jepa")


def test_what_telling_statistics_needs_is_counted_without_the_statistics():
    model = architecture(kind="vit", layers=2, dim=16, ffn_dim=24, heads=2, patch=50, dropout=0.0)
    pretrain = PretrainConfig(steps=1, crop_seconds=2.0, objective={"kind": "statistics"})
    objective = make_objective(make_encoder(model, LEADS, 500, PreprocessConfig(), 2.0), pretrain)
    x = torch.randn(4, 12, 1000)
    found = counted(lambda: objective(x, step=0, noise=None)) - counted(lambda: objective.statistics(x))
    flops = forward_flops(model, pretrain, segments=4, leads=12, samples=1000, masked=0)
    assert flops["objective"] == 2 * 4 * 16 * (200 + 12 * 67)
    assert found == pytest.approx(flops["layers"] + flops["objective"], rel=1e-9)


@pytest.mark.parametrize("conv_layers", [[(3, 2), (5, 1)], []])
def test_an_s4_encoder_by_hand_and_by_what_is_counted(conv_layers):
    """Two segments of 100 averaged samples of 12 leads: 50 frames, or 100. PyTorch's counter leaves transforms out."""
    model = architecture(
        kind="s4", layers=3, dim=16, state=4, bidirectional=True, conv_layers=conv_layers, downsample=5, dropout=0.0
    )
    flops = forward_flops(model, PretrainConfig(steps=1), segments=2, leads=12, samples=500, masked=9)
    frames = 50 if conv_layers else 100
    first = 2 * 50 * 3 * 12 * 16 + 2 * 50 * 5 * 16 * 16 if conv_layers else 2 * 100 * 12 * 16
    transform = 2.5 * 2 * frames * math.log2(2 * frames)
    products = 2 * 2 * frames * 4 + 2 * 2 * frames * 2 * 16  # two kernels of states, once; the Linear, of each segment
    transforms = transform + 2 * (2 * transform + 6 * (frames + 1))
    assert flops["frontend"] == 2 * first
    assert flops["layers"] == pytest.approx(3 * 16 * (products + transforms), rel=1e-12)
    encoder, x = encoder_of(model).eval(), torch.zeros(2, 12, 500)
    encoder(x)  # what kernels are made of is computed once
    found = counted(lambda: encoder(x))
    assert found == 2 * first + 3 * 16 * products


@pytest.mark.parametrize("name", ["ecglfm-600m", "small", *MODELS])
def test_the_encoder_is_counted_at_every_size(name, repository):
    """Without memory: on the meta device."""
    config = load(EncoderConfig, repository / f"config/encoders/{'small' if name in MODELS else name}.yaml")
    assert config.pretrain is not None
    model = MODELS.get(name, config.model)
    with torch.device("meta"):
        encoder = encoder_of(model).eval()
    found = counted(lambda: encoder(torch.empty(4, 12, 2500, device="meta")))
    expected = forward_flops(model, config.pretrain, segments=4, leads=12, samples=2500, masked=60)
    assert expected["frontend"] + expected["layers"] == pytest.approx(found, rel=0.01)


def test_600m_needs_six_operations_a_parameter_and_frame(repository):
    """The rule of thumb of arXiv:2001.08361, 2.1; attention comes on top."""
    config = load(EncoderConfig, repository / "config/encoders/ecglfm-600m.yaml")
    assert config.pretrain is not None
    flops = forward_flops(config.model, config.pretrain, segments=4, leads=12, samples=2500, masked=60)
    assert 3 * sum(flops.values()) == pytest.approx(6 * 610e6 * 4 * 156, rel=0.03)


@pytest.mark.parametrize(
    "form",
    [
        {"widths": [8, 16], "blocks": [2, 1], "strides": [1, 2], "stem": [5, 2], "max_pool": True},
        {"widths": [16, 16], "blocks": [1, 2], "strides": [2, 2]},
        {"widths": [8, 12, 16], "blocks": [1, 1, 2], "strides": [1, 4, 3], "stem": [7, 1], "kernel": 7, "preactivation": True},
    ],
)  # fmt: skip
def test_a_resnet_is_counted(form):
    """Of a length that no stride divides."""
    model = architecture(kind="resnet", dim=16, **form)
    encoder = make_encoder(model, LEADS, 500, PreprocessConfig(), 5.0).eval()
    found = counted(lambda: encoder(torch.zeros(3, 12, 1003)))
    flops = encoder_flops(model, segments=3, leads=12, samples=1003)
    assert flops == pytest.approx(found, rel=1e-9 if not model.preactivation else 2e-3)  # frames of no whole stride
