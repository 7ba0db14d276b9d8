"""Attributions add up, are those of a sum by hand, find what was planted, and are the model's own."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.data.signals import EncoderInput, shown_mv
from ecglfm.evaluation.attribution import TOLERANCE, attribute, gradients
from ecglfm.evaluation.beats import PHASES, phases_of
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.layers import standardize
from tests.unit.architectures import small
from tests.unit.evaluation.attribution.models import (
    ELEVATED,
    FS,
    Deviations,
    Millivolts,
    contracted_model,
    linear_model,
    patient,
    random_model,
    trained_model,
)

RNG = np.random.default_rng(0)


def noise(samples: int) -> np.ndarray:
    return RNG.integers(-2000, 2000, (samples, 12)).astype(np.int16)


@pytest.mark.parametrize("samples", [200, 150])
def test_a_linear_model_is_explained_as_by_hand(samples: int):
    model = linear_model()
    signal = noise(samples)
    found = attribute(model, signal, 2)
    weights = model.head.weight[2].detach().numpy()
    expected = signal / 1000.0 * weights / samples  # a mean over the real samples
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.flat == pytest.approx(0.0, abs=1e-6)
    assert found.score == pytest.approx(expected.sum(), abs=1e-5)
    assert found.error < 1e-3
    np.testing.assert_allclose(found.occlusion, expected.sum(axis=0), atol=1e-5)


@pytest.mark.parametrize("samples", [200, 150])
def test_a_linear_model_of_standardised_samples_is_explained_as_by_hand(samples: int):
    model = linear_model(of=Deviations)
    signal = noise(samples)
    found = attribute(model, signal, 2)
    weights = model.head.weight[2].detach().numpy()
    expected = (signal - signal.mean(axis=0)) / signal.std(axis=0) * weights / samples
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.score == pytest.approx(float(model.head.bias[2].detach()), abs=1e-5)  # deviations have no mean


@pytest.mark.parametrize(("samples", "seconds"), [(200, None), (150, None), (900, 2.0)])
def test_what_an_encoder_with_a_contract_reads_is_explained_against_what_it_reads_of_a_flat_line(
    samples: int, seconds: float | None
):
    """Sample for sample and lead for lead what is shown beside it, which is in mV; here every second one, backwards."""
    model = contracted_model()
    signal = noise(samples)
    found = attribute(model, signal, 2, seconds=seconds)
    shown = shown_mv(signal, model.encoder)[:100]
    np.testing.assert_allclose(shown, signal[: 2 * len(shown) : 2, ::-1] / 1000.0, atol=1e-6)
    weights, deviations = model.head.weight[2].detach().numpy(), 1.0 + np.arange(12)
    expected = shown / deviations * weights / len(shown)  # a lead of 0 mV is one of -0.2 / deviation
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.flat == pytest.approx(float((-0.2 / deviations) @ weights), abs=1e-5)
    assert found.score - found.flat == pytest.approx(expected.sum(), abs=1e-5)
    np.testing.assert_allclose(found.occlusion, expected.sum(axis=0), atol=1e-5)


def test_a_recording_is_made_what_the_encoder_reads_once_whatever_its_windows(monkeypatch: pytest.MonkeyPatch):
    made = []
    record = EncoderInput.record
    monkeypatch.setattr(EncoderInput, "record", lambda self, signal: made.append(len(signal)) or record(self, signal))
    attribute(contracted_model(), noise(900), 2, occlude=False)
    assert made == [900, 900]  # it, and the flat line


@pytest.mark.parametrize("samples", [500, 390])
def test_an_encoder_that_standardises_is_explained(samples: int):
    torch.manual_seed(0)
    encoder = make_encoder(
        small("wav2vec2", standardize=True), list(LEADS), FS, PreprocessConfig(sampling_rate=FS), 5.0
    )
    model = ECGModel(encoder, ["STE"], "full").eval()
    signal = patient(7, elevated=True)[:samples]
    signal[:, LEADS.index("aVL")] = 120  # a lead that lies still is a flat line
    found = attribute(model, signal, 0)
    with torch.no_grad():
        x = torch.from_numpy(np.pad(signal, ((0, 500 - samples), (0, 0))).T[None] / 1000.0).float()
        mask = torch.arange(500)[None] < samples
        score, flat = float(model(x, mask)[0, 0]), float(model(x * 0, mask)[0, 0])
    assert found.score == pytest.approx(score, abs=1e-5)
    assert found.flat == pytest.approx(flat, abs=1e-5)
    assert abs(score - flat) > 0.1
    assert found.values.sum() == pytest.approx(score - flat, rel=TOLERANCE)
    assert not found.values[:, LEADS.index("aVL")].any()
    assert found.occlusion[LEADS.index("aVL")] == pytest.approx(0.0, abs=1e-5)


def test_a_jump_on_the_path_is_said_early():
    class Jumping(Deviations):
        """Standardises where nobody knows it: the path jumps at its beginning."""

        def standardized(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
            return x

        def encode_standardized(self, x: torch.Tensor, mask: torch.Tensor | None = None):
            return self.encode(x, mask)

        def encode(self, x: torch.Tensor, mask: torch.Tensor | None = None):
            return Millivolts.encode(self, standardize(x, mask).square(), mask)

    with pytest.raises(UserError, match=r"at least \d+\.\d % of it are missing after (\d+) steps, 2 %") as caught:
        attribute(linear_model(of=Jumping), np.tile(noise(200), (3, 1)), 2)
    steps = int(re.search(r"after (\d+) steps", str(caught.value))[1])  # type: ignore[index]
    assert steps < 300  # of one window; 2,032 of each before


@pytest.mark.parametrize(("aggregate", "weights"), [("mean", (1 / 3, 1 / 3, 1 / 3)), ("max", (0, 1, 0)), ("median", (0, 0, 1))])  # fmt: skip
def test_windows_count_as_the_model_puts_them_together(aggregate: str, weights: tuple[float, ...]):
    model = linear_model()
    model.aggregate = aggregate
    signal = np.zeros((650, 12), np.int16)  # three windows of 200, and 50 samples that none has
    for start, millivolts in ((0, 1), (200, 3), (400, 2)):
        signal[start : start + 200, 11] = 1000 * millivolts
    signal[600:] = 9000
    found = attribute(model, signal, 2)
    weight = float(model.head.weight[2, 11].detach())
    sums = [float(found.values[start : start + 200].sum()) for start in (0, 200, 400)]
    assert sums == pytest.approx([w * weight * mv for w, mv in zip(weights, (1, 3, 2), strict=True)], abs=1e-5)
    assert np.abs(found.values[600:]).max() == 0
    assert found.score == pytest.approx(sum(sums) + float(model.head.bias[2].detach()), abs=1e-5)


def test_a_planted_elevation_gets_the_mass_and_occlusion_agrees():
    model = trained_model()
    signal = patient(1001, elevated=True)
    found = attribute(model, signal, 0)
    assert found.score > 2 > -2 > attribute(model, patient(1002, elevated=False), 0).score
    assert found.error <= TOLERANCE
    total = found.values.sum()
    assert found.values[:, ELEVATED].sum() > 0.8 * total
    most = np.argsort(-np.abs(found.values).sum(axis=0))[:3]
    assert {LEADS[lead] for lead in most} == {"V2", "V3", "V4"}
    phase, beats = phases_of(signal / 1000.0, FS)
    assert beats
    by_phase = {name: found.values[phase == place].sum() for place, name in enumerate(PHASES)}
    assert max(by_phase, key=lambda name: by_phase[name]) == "ST"
    assert by_phase["ST"] > 0.6 * total
    assert LEADS[int(np.argmax(found.occlusion))] in {"V2", "V3", "V4"}


def test_randomised_weights_give_another_map():
    """The sanity check of Adebayo et al. 2018 (arXiv:1810.03292)."""
    signal = patient(1001, elevated=True)
    trained = attribute(trained_model(), signal, 0, occlude=False).values.ravel()
    again = attribute(trained_model(), signal, 0, occlude=False).values.ravel()
    assert spearmanr(trained, again)[0] > 0.999
    for seed in (5, 6):
        other = attribute(random_model(seed), signal, 0, occlude=False).values.ravel()
        assert abs(spearmanr(trained, other)[0]) < 0.2


def test_steps_are_raised_until_the_sum_is_right(monkeypatch: pytest.MonkeyPatch):
    from captum.attr import IntegratedGradients

    model, signal = trained_model(), patient(1001, elevated=True)
    x = torch.from_numpy(signal.T[None] / 1000.0).float()
    found = attribute(model, signal, 0, occlude=False)
    _, delta = IntegratedGradients(lambda one: model(one)[:, 0]).attribute(
        x, n_steps=found.steps, method="gausslegendre", return_convergence_delta=True
    )
    difference = abs(found.score - found.flat)
    assert abs(float(delta)) / difference > 2 * TOLERANCE  # as many equal steps do not add up: the front end normalises
    assert found.error < TOLERANCE
    monkeypatch.setattr(gradients, "_MOST_PIECES", 4)
    with pytest.raises(UserError, match=r"do not add up to the answer: .* % of it are missing after 16 steps, 2 %"):
        attribute(model, signal, 0)


def test_a_models_modes_stay_as_they_were():
    model = random_model()
    model.train()
    attribute(model, patient(3, elevated=True), 0)
    assert model.training
    assert model.encoder.training
