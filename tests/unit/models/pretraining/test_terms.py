"""No term of the objective is decoration: with its weight at 0, what it is there for is lost on held-out patients.

Synthetic patients (`ecglfm.sources.synthesis`) at 100 Hz, an encoder small enough for seconds, 100 updates.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from ecglfm.config import LEADS, PreprocessConfig, PretrainConfig
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.pretraining.masked_codes import TERMS, MaskedCodes
from ecglfm.models.pretraining.terms import cmsc_loss, contrastive_loss
from ecglfm.sources.synthesis.heart import quantize, record_leads
from ecglfm.sources.synthesis.patient import draw_patient, generator
from tests.unit.architectures import architecture

POPULATION = (0, 7)
STEPS, PAIRS, CODES, SAMPLES = 100, 8, 32, 500  # 5 s
MODEL = architecture(
    layers=2, dim=32, ffn_dim=32, heads=2, kernel=7, conv_channels=16, conv_layers=[(2, 2)] * 3, dropout=0.0
)


@cache
def recordings(first: int, patients: int) -> torch.Tensor:
    """Two recordings of 10 s of each patient at 100 Hz, millivolts, shape (patients, 2, leads, samples)."""
    signals = []
    for number in range(first, first + patients):
        patient = draw_patient(POPULATION, number)
        for record in range(2):
            leads, _ = record_leads(patient, generator(*POPULATION, number, record), mains=50.0)
            signals.append(quantize(leads, 1000.0).reshape(1000, 5, 12).mean(axis=1).T / 1000.0)
    return torch.from_numpy(np.stack(signals)).float().view(patients, 2, 12, 1000)


def train(objective: MaskedCodes, seed: int) -> None:
    """Pairs of random crops of 40 patients, a quarter of the leads zeroed."""
    records, draw = recordings(0, 40), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(objective.parameters(), lr=5e-3)
    for step in range(STEPS):
        starts = torch.randint(1000 - SAMPLES, (2 * PAIRS,), generator=draw)
        pairs = records[torch.randperm(40, generator=draw)[:PAIRS]].flatten(0, 1)
        x = torch.stack([record[:, start : start + SAMPLES] for record, start in zip(pairs, starts, strict=True)])
        x = x * (torch.rand(2 * PAIRS, 12, 1, generator=draw) < 0.75)
        optimizer.zero_grad()
        objective(x, step=step, generator_seed=1000 * seed + step)["loss"].backward()
        optimizer.step()


@cache
def measured(without: str | None, seed: int = 0) -> dict[str, float]:
    """What 24 other patients show after training, all terms at their default weights or one of them at 0."""
    torch.manual_seed(seed)
    weights = {without: {"weight": 0.0}} if without else {}
    config = PretrainConfig(
        steps=STEPS,
        quantizer={"codes": CODES, "code_dim": 32, "final_dim": 32},
        objective=weights | {"contrastive": {"negatives": 20} | weights.get("contrastive", {})},
    )
    objective = MaskedCodes(ECGEncoder(MODEL, LEADS, 100, PreprocessConfig(), 5.0), config)
    train(objective, seed)
    objective.eval()
    x = recordings(1000, 24)[..., :SAMPLES].flatten(0, 1)
    with torch.inference_mode():
        terms = objective(x, step=STEPS, generator_seed=1)
        z = torch.nn.functional.normalize(objective.encoder.embed(x), dim=1)
    nearest = (z @ z.T).fill_diagonal_(-2.0).argmax(dim=1)
    retrieved = (nearest == torch.arange(len(x)) ^ 1).float().mean()  # rows 2i and 2i+1 are of one patient
    return {name: float(value) for name, value in terms.items()} | {"retrieved": float(retrieved)}


def margin(measure: str, term: str) -> float:
    """By how much a measurement is higher with all terms than without one."""
    return measured(None)[measure] - measured(term)[measure]


# What the comments tell are the values of seeds 0, 1 and 2; each margin is about half of the smallest difference.


@pytest.mark.slow
def test_without_the_contrastive_term_hidden_frames_are_not_told_apart() -> None:
    # 0.26, 0.24, 0.28 against 0.11, 0.13, 0.14: chance, as 1 of 21 less the negatives of the frame's own code
    assert margin("contrastive_accuracy", "contrastive") > 0.06


@pytest.mark.slow
def test_without_the_mlm_term_codes_are_not_predicted() -> None:
    # 0.22, 0.12, 0.11 against 0.02, 0.01, 0.04: chance, 1 of 32
    assert margin("mlm_accuracy", "mlm") > 0.035


@pytest.mark.slow
def test_without_the_diversity_term_most_of_the_codebook_is_lost() -> None:
    # 25, 29, 30 codes of 32 against 7, 12, 15
    assert margin("prob_perplexity", "diversity") > 8


@pytest.mark.slow
def test_without_the_feature_penalty_conv_features_grow() -> None:
    # mean squares of 0.010, 0.013, 0.012 against 0.32, 0.67, 0.51
    assert measured("feature_penalty")["feature_penalty"] > 15 * measured(None)["feature_penalty"]


@pytest.mark.slow
def test_without_cmsc_the_other_recording_of_a_patient_is_not_found() -> None:
    # nearest of 47 for 0.27, 0.44, 0.29 of the recordings against 0.13, 0.13, 0.10; chance is 0.02
    assert margin("retrieved", "cmsc") > 0.07


@pytest.mark.parametrize("term", TERMS)
def test_a_term_of_weight_zero_has_no_part_in_loss_and_gradient(term: str) -> None:
    # `mlm` at 0 leaves wav2vec 2.0 + CMSC + lead masking, as ECG-FM is pretrained.
    # The bias of the first convolution never learns: GroupNorm takes it away again.
    heads = {"mlm": ["mlm_proj"], "contrastive": ["final_proj", "project_q", "quantizer.vars"]}
    torch.manual_seed(0)
    config = PretrainConfig(
        steps=1, quantizer={"codes": 8, "code_dim": 12, "final_dim": 10}, objective={term: {"weight": 0}}
    )
    objective = MaskedCodes(ECGEncoder(MODEL, LEADS, 100, PreprocessConfig(), 5.0), config)
    terms = objective(torch.randn(4, 12, SAMPLES), step=0, generator_seed=0)
    others = [name for name in TERMS if name != term]
    expected = sum(getattr(config.objective, name).weight * float(terms[name]) for name in others)
    assert terms["loss"].item() == pytest.approx(expected, rel=1e-6)
    terms["loss"].backward()
    for name, parameter in objective.named_parameters():
        learns = parameter.grad is not None and bool(parameter.grad.any())
        assert learns != name.startswith(("encoder.frontend.convs.0.bias", *heads.get(term, []))), name


def test_what_terms_compare_is_float32_under_autocast() -> None:
    """A loss in bfloat16 would be 4.531 or 4.562, and nothing between."""
    generator = torch.Generator().manual_seed(0)
    x_bmf, y_bmf = torch.randn(2, 2, 20, 8, generator=generator)
    negatives_bmk = torch.randint(0, 20, (2, 20, 10), generator=generator)
    codes_bm = torch.arange(20).expand(2, 20)

    def losses() -> tuple[float, float]:
        contrastive, _ = contrastive_loss(x_bmf, y_bmf, codes_bm, negatives_bmk, temperature=0.1)
        cmsc, _ = cmsc_loss(x_bmf[0], temperature=0.1)
        return contrastive.item(), cmsc.item()

    plain = losses()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert losses() == plain
