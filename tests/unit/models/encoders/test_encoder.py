"""The encoder: padding changes nothing, sizes are those published, sums worked by hand."""

import math

import pytest
import torch

from ecglfm.config import LEADS, EncoderConfig, PreprocessConfig, load
from ecglfm.models.encoders.encoder import ECGEncoder, mean_over_frames
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from tests.unit.architectures import architecture
from tests.unit.models.encoders.small_encoder import SMALL, build


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("norm", ["batch", "group", "layer"])
@pytest.mark.parametrize("samples", [16, 100, 777, 1000, 2499])
def test_a_padded_record_is_as_it_is_alone(samples, norm):
    encoder = build(SMALL.model_copy(update={"norm": norm})).eval()
    x = torch.randn(3, 12, 2500)
    mask = torch.ones(3, 2500, dtype=torch.bool)
    mask[1, samples:] = False
    with torch.no_grad():
        alone = encoder(x[1:2, :, :samples])
        padded, pooled = encoder(x, mask), encoder.embed(x, mask)
        other = x.clone()
        other[1, :, samples:] = torch.nan  # what the padding holds does not matter
        assert torch.equal(encoder(other, mask), padded)
        frames = alone.shape[1]
        assert frames == samples // 16
        torch.testing.assert_close(padded[1, :frames], alone[0], atol=1e-5, rtol=1e-5)
        assert not padded[1, frames:].any()
        torch.testing.assert_close(pooled[1], alone[0].mean(0), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(padded[[0, 2]], encoder(x[[0, 2]]), atol=1e-5, rtol=1e-5)


def test_a_full_mask_is_no_mask_in_training_too():
    x, mask = torch.randn(4, 12, 400), torch.ones(4, 400, dtype=torch.bool)
    outputs, statistics = [], []
    for given in (None, mask):
        encoder = build(SMALL.model_copy(update={"dropout": 0.0})).train()
        outputs.append(encoder(x, given))
        statistics.append(encoder.conformer.layers[1].conv_module.norm.running_var)
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(statistics[0], statistics[1])


def test_a_record_without_a_real_frame_gives_zero_not_nan():
    encoder = build().eval()
    mask = torch.ones(2, 400, dtype=torch.bool)
    mask[0, 10:] = False
    pooled = encoder.embed(torch.randn(2, 12, 400), mask)
    assert not pooled[0].any()
    assert torch.isfinite(pooled).all()


def test_pooling_by_hand():
    x = torch.tensor([[[1.0], [3.0], [50.0]], [[2.0], [4.0], [6.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert mean_over_frames(x, mask).tolist() == [[2.0], [4.0]]
    assert mean_over_frames(x).tolist() == [[18.0], [4.0]]


def test_attributes_and_refusals():
    encoder = build()
    assert (encoder.leads, encoder.sampling_rate, encoder.dim) == (list(LEADS), 500, 32)
    assert encoder.crop_samples == 2500
    with pytest.raises(ValueError, match=r"expected \(batch, 12 leads, samples\), found \(2, 8, 500\)"):
        encoder(torch.zeros(2, 8, 500))
    with pytest.raises(ValueError, match="15 samples are shorter than one frame"):
        encoder(torch.zeros(2, 12, 15))
    with pytest.raises(ValueError, match="expected a mask of shape"):
        encoder(torch.zeros(2, 12, 100), torch.ones(2, 12, 100, dtype=torch.bool))
    assert build(leads=("I", "II"))(torch.zeros(1, 2, 64)).shape == (1, 4, 32)


def test_weights_follow_from_the_seed():
    first, second = build().state_dict(), build().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(1)
    other = ECGEncoder(SMALL, LEADS, 500, PreprocessConfig(), 5.0).state_dict()
    assert not torch.equal(first["frontend.convs.0.weight"], other["frontend.convs.0.weight"])


def test_initial_weights_are_the_originals_kind():
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(layers=1, dim=256, ffn_dim=512, heads=4), LEADS, 500, PreprocessConfig(), 5.0)
    layer = encoder.conformer.layers[0]
    assert layer.self_attn.linear_q.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert layer.ffn1.w_1.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not layer.ffn2.w_2.bias.any()
    # Kaiming normal: sqrt(2 / fan in)
    assert encoder.frontend.convs[1].weight.std().item() == pytest.approx(math.sqrt(2 / 512), rel=0.02)


def test_the_published_sizes(repository):
    config = load(EncoderConfig, repository / "config" / "encoders" / "ecglfm-600m.yaml")
    with torch.device("meta"):
        encoder = ECGEncoder(config.model, LEADS, 500, PreprocessConfig(), config.pretrain.crop_seconds)
        objective = MaskedCodes(encoder, config.pretrain)
    layers = encoder.conformer.layers
    assert len(layers) == 24
    for layer in layers:
        assert count(layer) == 25_226_240
        assert count(layer.self_attn) == 5_249_024
        assert count(layer.conv_module) == 3_181_568
        assert count(layer.ffn1) == count(layer.ffn2) == 8_395_776
    assert count(objective) == 610_031_104
    assert objective.tap == 6
    assert encoder.frontend.frames(2500) == 156


@pytest.mark.parametrize(
    ("name", "whole", "alone", "tap"),
    [
        ("ecglfm-600m", 610_031_104, 606_094_336, 6),
        ("base", 90_284_544, 89_036_288, 3),
        ("small", 7_131_520, 6_753_280, 1),
        ("tiny", 164_096, 145_344, 1),
    ],
)
def test_presets(repository, name, whole, alone, tap):
    """All that learns: with the mask embedding, quantizer and heads that only pretraining needs, and without."""
    config = load(EncoderConfig, repository / "config" / "encoders" / f"{name}.yaml")
    with torch.device("meta"):
        encoder = ECGEncoder(config.model, LEADS, 500, PreprocessConfig(), 5.0)
        objective = MaskedCodes(encoder, config.pretrain)
    assert (count(objective), count(encoder), objective.tap) == (whole, alone, tap)


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_the_control_is_the_same_encoder(repository, size):
    folder = repository / "config" / "encoders"
    pretrained, control = (load(EncoderConfig, folder / f"{name}.yaml") for name in (size, f"random-{size}"))
    assert control.model == pretrained.model
    assert control.weights == "random"
