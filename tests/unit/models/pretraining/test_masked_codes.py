"""The objective: masks, negatives, terms worked by hand, where gradients go, and that a step can be drawn again."""

import math

import pytest
import torch
from torch import _dynamo as dynamo

from ecglfm.config import LEADS, MaskConfig, PreprocessConfig, PretrainConfig, UserError
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.pretraining.masked_codes import MaskedCodes, Noise
from ecglfm.models.pretraining.masking import draw_negatives, hidden_frames
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


def test_pairs_of_one_patient_are_no_negatives_of_each_other():
    """Two of three pairs are of patient 7: each has the one pair of patient 9 against it, which has both."""
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], requires_grad=True)
    loss, accuracy = cmsc_loss(z, temperature=0.5, patients_p=torch.tensor([7, 7, 9]))
    expected = (2 * math.log(1 + math.exp(-2)) + math.log(1 + 2 * math.exp(-2))) / 3
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert accuracy.item() == 1
    loss.backward()
    assert z.grad.isfinite().all()
    apart, _ = cmsc_loss(z, temperature=0.5, patients_p=torch.tensor([7, 8, 9]))
    assert apart.item() == cmsc_loss(z, temperature=0.5)[0].item()


def test_whose_pairs_a_batch_has_is_heard():
    objective = build().eval()
    batch = {"signal": torch.zeros(6, 1600, 12, dtype=torch.int16)}
    x = torch.randn(6, 12, 1600)

    def cmsc(**more) -> float:
        batches = [batch | more]
        (noise,) = objective.draw(batches, 3, objective.prepare(batches, 3))
        return objective(x, step=0, noise=noise)["cmsc"].item()

    assert cmsc(patient=torch.tensor([4, 5, 6])) == cmsc()
    assert cmsc(patient=torch.tensor([4, 4, 4])) == 0  # nobody else is there
    assert 0 < cmsc(patient=torch.tensor([4, 4, 6])) < cmsc()


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


def noise_of(objective, batch, seed):
    (noise,) = objective.draw([batch], seed, objective.prepare([batch], seed))
    return noise


@pytest.mark.parametrize("padded", [False, True])
def test_shapes_are_those_of_the_config_in_every_update(padded):
    objective, shapes, hidden = build(), set(), set()
    for seed in range(20):
        batch = {"signal": torch.zeros(4, 1600, 12, dtype=torch.int16)}
        if padded:
            batch["valid"] = torch.randint(800, 1601, (4,), generator=generator(seed))
        noise = noise_of(objective, batch, seed)
        shapes.add(tuple(tuple(x.shape) for x in noise if x is not None))
        hidden.add(tuple(noise.mask_bt.sum(dim=1).tolist()))
    frames = objective.encoder.frames(1600)
    masked = hidden_frames(frames, MaskConfig())
    assert shapes == {((4, frames), (4, masked, 100), (4 * masked, 8), *[(4,)] * padded)}
    assert (len(hidden) > 10) if padded else (hidden == {(masked,) * 4})


def test_records_count_alike_whatever_they_hide():
    """Two batches of whole and of short records beside one of all: its loss is their mean, term by term."""
    off = {"diversity": {"weight": 0.0}, "cmsc": {"weight": 0.0}}
    objective, x = build(**off).eval(), torch.randn(4, 12, 1600)
    valid = torch.tensor([1600, 1600, 900, 1000])
    mask = torch.arange(1600) < valid[:, None]
    batch = {"signal": torch.zeros(4, 1600, 12, dtype=torch.int16), "valid": valid}
    noise = noise_of(objective, batch, 3)
    whole = objective(x, step=0, noise=noise, mask=mask)
    parts = [
        objective(
            x[rows], step=0, noise=Noise(*(None if part is None else part[rows] for part in noise)), mask=mask[rows]
        )
        for rows in (slice(2), slice(2, 4))
    ]
    for name in ("loss", "contrastive", "mlm", "feature_penalty", "contrastive_accuracy", "mlm_accuracy"):
        mean = sum(float(part[name].detach()) for part in parts) / 2
        assert float(whole[name].detach()) == pytest.approx(mean, rel=1e-5, abs=1e-7), name


def test_places_beyond_a_records_hidden_frames_count_for_nothing():
    """A record of 900 samples, hiding 17 of its 56 frames, is the same with as many places as it needs."""
    objective, x = build().eval(), torch.randn(2, 12, 1600)
    valid = torch.tensor([900, 900])
    batch = {"signal": torch.zeros(2, 1600, 12, dtype=torch.int16), "valid": valid}
    mask, noise = (torch.arange(1600) < valid[:, None]), noise_of(objective, batch, 3)
    hidden = int(noise.hidden_b[0])
    assert hidden == hidden_frames(100, MaskConfig()) * 56 // 100 < noise.negatives_bmk.shape[1]
    needed = noise._replace(negatives_bmk=noise.negatives_bmk[:, :hidden], hidden_b=None)
    padded, plain = (objective(x, step=0, noise=one, mask=mask) for one in (noise, needed))
    for name, value in plain.items():
        assert float(padded[name].detach()) == pytest.approx(float(value.detach()), rel=1e-5, abs=1e-6), name


def test_a_compiled_objective_stays_compiled():
    """One graph, traced once more when the update's number proves to be no constant; no shape changes in 20 updates.

    For a CUDA graph the temperature, a number of the host, would have to become a tensor.
    """
    objective, graphs = build(), []
    dynamo.reset()
    before = dynamo.utils.counters["stats"]["unique_graphs"]
    compiled = torch.compile(objective, backend="eager")
    for step in range(20):
        noise = noise_of(objective, {"signal": torch.zeros(4, 1600, 12, dtype=torch.int16)}, step)
        compiled(torch.randn(4, 12, 1600), step=step, noise=noise)["loss"].backward()
        graphs.append(dynamo.utils.counters["stats"]["unique_graphs"] - before)
    assert graphs == [1, *[2] * 19]
