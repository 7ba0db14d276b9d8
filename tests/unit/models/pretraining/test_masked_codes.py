"""The objective: masks, negatives, terms worked by hand, where gradients go, and that a step can be drawn again."""

import math

import pytest
import torch

from ecglfm.config import LEADS, MaskConfig, PreprocessConfig, PretrainConfig, QuantizerConfig, UserError
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.models.pretraining.masking import draw_negatives, draw_spans, most_hidden, places, rounding_of, trim_spans
from ecglfm.models.pretraining.quantizer import GumbelQuantizer, perplexity
from ecglfm.models.pretraining.random import record_keys
from ecglfm.models.pretraining.terms import cmsc_loss, contrastive_loss
from tests.unit.architectures import architecture

MODEL = architecture(layers=2, dim=32, ffn_dim=48, heads=2, kernel=7, conv_channels=16, dropout=0.0)
QUANTIZER = {"codes": 8, "code_dim": 12, "final_dim": 10}


def build(**objective):
    torch.manual_seed(0)
    encoder = ECGEncoder(MODEL, LEADS, 500, PreprocessConfig(), 5.0)
    config = PretrainConfig(steps=1, quantizer=QUANTIZER, objective=objective)
    return MaskedCodes(encoder, config)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def span_mask(batch, frames, config, seed, lengths=None):
    """Mask of a batch that is an update by itself."""
    keys = record_keys(seed, 0, batch)
    lengths = torch.full((batch,), frames) if lengths is None else torch.tensor(lengths)
    spans = draw_spans(keys, lengths, frames, config, rounding=rounding_of(seed))
    return trim_spans(keys, spans, most_hidden(spans, lengths))


def test_span_masks_hide_the_published_share():
    # 38.6 % on average at 32 records of 156 frames, by running the original.
    shares = []
    for seed in range(400):
        mask = span_mask(32, 156, MaskConfig(), seed)
        counts = mask.sum(dim=1)
        assert (counts == counts[0]).all()
        shares.append(counts[0].item() / 156)
    assert sum(shares) / len(shares) == pytest.approx(0.386, abs=0.005)  # 3 standard errors


def test_span_masks_are_spans():
    # One record is not trimmed: every run is at least a span long, and a union of 10 or 11 spans.
    for seed in range(20):
        mask = span_mask(1, 156, MaskConfig(), seed)[0].tolist()
        runs = [len(run) for run in "".join("x" if hidden else " " for hidden in mask).split()]
        assert min(runs) >= 10
        assert sum(runs) <= 110


def test_a_short_record_gets_the_least_number_of_spans():
    # 0.65 x 25 / 10 = 1.6 spans, but two at least: two different starts hide at least 11 frames.
    counts = [int(span_mask(1, 25, MaskConfig(min_spans=2), seed).sum()) for seed in range(50)]
    assert 11 <= min(counts) <= max(counts) <= 20
    assert 10 in [int(span_mask(1, 25, MaskConfig(min_spans=1), seed).sum()) for seed in range(50)]


def test_every_frame_can_be_hidden():
    hidden = sum(span_mask(32, 40, MaskConfig(), seed).sum(dim=0) for seed in range(20))
    assert (hidden > 0).all()


def test_only_real_frames_are_hidden():
    real = torch.arange(156) < torch.tensor([156, 40, 7, 3])[:, None]
    for seed in range(20):
        mask = span_mask(4, 156, MaskConfig(), seed, [156, 40, 7, 3])
        assert not (mask & ~real).any()
        assert (mask.sum(dim=1) == mask[0].sum()).all()
        assert 2 <= mask[0].sum() < 3  # the shortest record keeps a frame to see
    with pytest.raises(ValueError, match="2 real frames"):
        span_mask(2, 156, MaskConfig(), 0, [156, 2])


def test_a_records_spans_are_its_own():
    # Whatever records share the batch, and however wide it is.
    everyone = record_keys(5, 0, 8)
    whole = draw_spans(everyone, torch.tensor([156, 40] * 4), 156, MaskConfig(), rounding=0.3)
    some = draw_spans(record_keys(5, 3, 2), torch.tensor([40, 156]), 200, MaskConfig(), rounding=0.3)
    assert torch.equal(some[:, :156], whole[3:5])
    assert not some[:, 156:].any()
    trimmed = trim_spans(everyone, whole, 5)
    assert torch.equal(trim_spans(everyone[3:5], whole[3:5], 5), trimmed[3:5])
    assert (trimmed & ~whole).sum() == 0
    assert trimmed.sum(dim=1).tolist() == [5] * 8


def test_places_of_a_mask():
    mask = torch.tensor([[False, True, True, False], [True, False, False, True]])
    assert places(mask, 2).tolist() == [1, 2, 4, 7]


def test_negatives_are_other_frames():
    negatives = draw_negatives(record_keys(0, 0, 3), 5, 4000)
    own = torch.arange(5)[None, :, None]
    assert (negatives != own).all()
    share = torch.stack([(negatives == place).float().mean(dim=(0, 2)) for place in range(5)])
    assert torch.allclose(share + torch.eye(5) / 4, torch.full((5, 5), 0.25), atol=0.02)
    with pytest.raises(ValueError, match="1 frames of each record are hidden; comparing needs 2"):
        draw_negatives(record_keys(0, 0, 3), 1, 10)


def test_contrastive_by_hand():
    # Cosines of x with y: frame 0: 1, 0, -1; the third target has the code of the second.
    x = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [0.0, -3.0]]])
    y = torch.tensor([[[1.0, 0.0], [0.0, 5.0], [0.0, 5.0]]])
    codes, negatives = torch.tensor([[4, 7, 7]]), torch.tensor([[[1, 2], [0, 2], [0, 1]]])
    loss, accuracy = contrastive_loss(x, y, codes, negatives, temperature=0.5)
    # frame 0: positive 2, negatives 0, 0; frame 1: 2 against 0 (its twin is out); frame 2: -2 against 0
    expected = [math.log(1 + 2 * math.exp(-2)), math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))]
    assert loss.item() == pytest.approx(sum(expected) / 3, rel=1e-6)
    assert accuracy.item() == pytest.approx(2 / 3)


def test_contrastive_with_no_negative_left_is_zero():
    x = torch.randn(1, 3, 4, requires_grad=True)
    negatives = draw_negatives(record_keys(0, 0, 1), 3, 5)
    loss, _ = contrastive_loss(x, torch.randn(1, 3, 4), torch.zeros(1, 3, dtype=torch.long), negatives, temperature=0.1)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()


@pytest.mark.parametrize("fixed_norms", [False, True])
def test_cmsc_by_hand(fixed_norms):
    z = torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 2.0]], requires_grad=True)
    loss, accuracy = cmsc_loss(z, temperature=0.5, fixed_norms=fixed_norms)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6)
    assert accuracy.item() == 1
    loss.backward()
    along = (z.grad * z.detach()).sum(dim=1)  # 0: a cosine does not change with its vectors' lengths
    assert bool(along.abs().max() > 1e-2) == fixed_norms


def test_temperature_is_a_function_of_the_step():
    quantizer = GumbelQuantizer(4, QuantizerConfig(codes=4, code_dim=4, temperature=(2.0, 0.5, 0.9)))
    assert quantizer.temperature(0) == 2.0
    assert quantizer.temperature(3) == pytest.approx(2 * 0.9**3)
    assert quantizer.temperature(1000) == 0.5


def test_perplexity_by_hand():
    assert perplexity(torch.full((16,), 1 / 16)).item() == pytest.approx(16, rel=1e-4)
    assert perplexity(torch.tensor([1.0, 0.0, 0.0])).item() == pytest.approx(1, rel=1e-4)


def test_quantizer_takes_the_noisy_best_and_passes_the_soft_gradient():
    quantizer = GumbelQuantizer(4, QuantizerConfig(codes=5, code_dim=3))
    features = torch.randn(6, 4)
    noise = torch.zeros(6, 5)
    noise[:, 2] = 1e4
    quantized = quantizer(features, step=0, gumbel_sv=noise)
    assert quantized.codes_s.tolist() == [2] * 6
    torch.testing.assert_close(quantized.vectors_se, quantizer.vars[2].expand(6, 3))
    calm = quantizer(features, step=0, gumbel_sv=torch.zeros(6, 5))
    calm.vectors_se.square().sum().backward()
    assert quantizer.weight_proj.weight.grad.abs().sum() > 0
    still = quantizer(features, step=0, gumbel_sv=None)
    assert torch.equal(still.codes_s, quantizer.weight_proj(features).argmax(dim=1))
    assert torch.equal(still.vectors_se, quantizer.vars[still.codes_s])


def test_loss_is_the_weighted_sum_of_its_terms():
    weights = {"contrastive": 1.5, "mlm": 0.5, "diversity": 0.3, "feature_penalty": 7.0, "cmsc": 2.0}
    objective = build(**{name: {"weight": weight} for name, weight in weights.items()})
    terms = objective(torch.randn(4, 12, 800), generator_seed=1, step=0)
    assert terms["loss"].item() == pytest.approx(sum(weights[name] * terms[name].item() for name in weights), rel=1e-6)
    assert all(value.shape == () for value in terms.values())
    assert [name for name, value in terms.items() if value.requires_grad] == ["loss"]


def test_the_generator_seed_alone_decides():
    objective, x = build(), torch.randn(4, 12, 1600)
    for training in (True, False):
        objective.train(training)
        losses = []
        for seed, global_seed in [(7, 0), (7, 1), (8, 0)]:
            torch.manual_seed(global_seed)
            state = torch.random.get_rng_state()
            losses.append(objective(x, generator_seed=seed, step=3)["loss"].item())
            assert torch.equal(state, torch.random.get_rng_state())
        assert losses[0] == losses[1] != losses[2]


def test_where_the_cmsc_gradient_goes():
    x = torch.randn(4, 12, 800)
    off = {name: {"weight": 0.0} for name in ("contrastive", "mlm", "diversity", "feature_penalty")}
    for pool, reaches in [("encoder", True), ("frontend", False)]:
        objective = build(**off, cmsc={"pool": pool})
        objective(x, generator_seed=0, step=0)["loss"].backward()
        conformer = sum(parameter.grad.abs().sum() for parameter in objective.encoder.conformer.parameters())
        assert bool(conformer > 0) == reaches
        assert objective.encoder.frontend.project.weight.grad.abs().sum() > 0


def test_every_parameter_learns():
    objective = build()
    objective(torch.randn(4, 12, 800), generator_seed=0, step=0)["loss"].backward()
    for name, parameter in objective.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any() != (name == "encoder.frontend.convs.0.bias"), name  # GroupNorm takes it away again


def test_padding_does_not_reach_the_loss():
    objective = build().eval()
    x = torch.randn(4, 12, 1600)
    mask = torch.ones(4, 1600, dtype=torch.bool)
    mask[2, 1000:] = False
    junk = x.clone()
    junk[2, :, 1000:] = 1e3
    first, second = (objective(signal, generator_seed=0, step=0, mask=mask) for signal in (x, junk))
    assert first["loss"].item() == second["loss"].item()
    assert math.isfinite(first["loss"].item())


def test_refusals():
    with pytest.raises(ValueError, match="pairs"):
        build()(torch.randn(3, 12, 800), generator_seed=0, step=0)
    with pytest.raises(UserError, match=r"contrastive.layer: 3 is beyond the encoder's 2 layers"):
        build(contrastive={"layer": 3})


def test_it_learns():
    # 4 patients with a rhythm each, 2 segments of each: the loss falls and pairs are found.
    objective = build()
    rate = torch.tensor([5.0, 8.0, 11.0, 14.0]).repeat_interleave(2)[:, None, None]
    time, lead = torch.arange(800) / 500, torch.arange(12)[:, None]
    optimizer = torch.optim.Adam(objective.parameters(), lr=2e-3)
    losses = []
    for step in range(60):
        phase = torch.rand(8, 1, 1, generator=generator(step)) * 6.28
        x = torch.sin(rate * time * 6.28 + phase + lead * 0.3)
        terms = objective(x, generator_seed=step, step=step)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        losses.append(terms["loss"].item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert terms["cmsc_accuracy"] == 1
