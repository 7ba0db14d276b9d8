"""Recordings and reports: the loss by hand, who is nobody's negative, who takes no part, collapse, what is learnt."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecglfm.config import LEADS, PreprocessConfig, PretrainConfig, UserError
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.pretraining.report_alignment import ReportAlignment, Said, contrast
from tests.unit.architectures import architecture

MODEL = {"layers": 1, "dim": 16, "ffn_dim": 24, "heads": 2, "kernel": 3, "conv_channels": 8, "dropout": 0.0}


def objective_of(**said: object) -> ReportAlignment:
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(**MODEL), LEADS, 100, PreprocessConfig(sampling_rate=100), 2.0)
    ema = said.pop("ema", None)
    objective = {"kind": "report_alignment", "dim": 8} | said
    return ReportAlignment(encoder, PretrainConfig(steps=1, crop_seconds=2.0, objective=objective, ema=ema))


def by_hand(cosines: np.ndarray, rows: list[int], scale: float) -> tuple[float, float]:
    """Pair after pair: -log of the share that its own text has among itself and texts that say something else."""
    with_text = [pair for pair, row in enumerate(rows) if row >= 0]
    losses, hits = [], []
    for pair in with_text:
        others = [other for other in with_text if rows[other] != rows[pair]]
        for products in (cosines[pair], cosines[:, pair]):
            logits = scale * np.array([products[pair], *products[others]])
            losses.append(np.log(np.exp(logits).sum()) - logits[0])
        hits.append(all(cosines[pair, pair] > cosines[pair, other] for other in others))
    return float(np.mean(losses)), float(np.mean(hits))


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4, 5], [3, 1, 3, -1, 1, 3], [-1, -1, 2, -1, 7, -1]])
def test_the_loss_is_that_of_its_definition(rows: list[int]) -> None:
    generator = torch.Generator().manual_seed(1)
    ecg, text = (torch.nn.functional.normalize(torch.randn(6, 4, generator=generator).double(), dim=1) for _ in "ab")
    text = text[torch.tensor([rows.index(row) for row in rows])]  # the same text, the same vector
    loss, accuracy = contrast(ecg, text, torch.tensor(rows), torch.tensor(5.0).double())
    expected = by_hand((ecg @ text.T).numpy(), rows, 5.0)
    assert float(loss) == pytest.approx(expected[0], rel=1e-12)
    assert float(accuracy) == pytest.approx(expected[1])


def test_three_pairs_in_numbers() -> None:
    """Cosines of 1 with the own report and 0 with another's, at scale 1: log(1 + 1/e) against one, none against twins."""
    ecg = torch.eye(3)
    text = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 0]])
    loss, accuracy = contrast(ecg, text, torch.tensor([0, 1, 1]), torch.tensor(1.0))
    alone, beside, lost = np.log(1 + 2 / np.e), np.log(1 + 1 / np.e), np.log(2)
    # recordings: the first against two, the second and third (which lies across from its text) against one each;
    # texts: the first against two recordings; the second, and the third, against the first recording.
    expected = (alone + beside + lost + alone + beside + lost) / 6
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    assert float(accuracy) == pytest.approx(2 / 3)


def test_pairs_that_all_say_the_same_and_none_at_all_cost_nothing() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(4, 3), dim=1).requires_grad_()
    for rows in ([5, 5, 5, 5], [-1, -1, -1, -1], [2, -1, -1, -1]):
        loss, _ = contrast(vectors, vectors.detach(), torch.tensor(rows), torch.tensor(10.0))
        assert float(loss.detach()) == 0
        (gradient,) = torch.autograd.grad(loss, vectors)
        assert not gradient.any()


def test_a_forward_is_the_projected_mean_frame_beside_the_projected_report() -> None:
    objective = objective_of(temperature=0.2, learn_temperature=False).double().eval()
    x = torch.randn(6, 12, 200, dtype=torch.float64)
    rows, vectors = [0, 1, -1, 2, 1, 3], np.random.default_rng(0).normal(size=(6, 512))
    vectors[4] = vectors[1]
    with torch.no_grad():
        output = objective(x, step=0, noise=Said(torch.tensor(rows), torch.from_numpy(vectors)))
        ecg = objective.encoder(x).mean(1).numpy() @ objective.alignment.ecg.weight.numpy().T
    text = vectors @ objective.alignment.text.weight.detach().numpy().T
    ecg, text = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (ecg, text))
    loss, accuracy = by_hand(ecg @ text.T, rows, 5.0)
    assert float(output["loss"]) == pytest.approx(loss, rel=1e-6)
    assert float(output["accuracy"]) == pytest.approx(accuracy)
    assert float(output["temperature"]) == pytest.approx(0.2, rel=1e-6)
    assert float(output["reports"]) == pytest.approx(5 / 6)
    assert float(output["spread"]) == pytest.approx(1 - np.square(ecg.mean(0)).sum(), rel=1e-5)


def test_a_recording_without_a_report_has_no_part_in_what_is_learnt() -> None:
    """The gradient is that of the others alone, to the last weight of the encoder."""
    x, rows = torch.randn(4, 12, 200), torch.tensor([0, 1, 2, -1])
    vectors = torch.nn.functional.normalize(torch.randn(4, 512), dim=1)
    vectors[3] = 0
    gradients = []
    for kept in (slice(0, 4), slice(0, 3)):
        objective = objective_of().eval()
        objective(x[kept], step=0, noise=Said(rows[kept], vectors[kept]))["loss"].backward()
        gradients.append({name: p.grad for name, p in objective.named_parameters() if p.grad is not None})
    assert gradients[0]["alignment.log_scale"] != 0
    assert set(gradients[0]) == set(gradients[1])
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=2e-4, atol=1e-6)


def test_a_planted_collapse_is_seen() -> None:
    objective = objective_of().eval()
    said = Said(torch.arange(4), torch.randn(4, 512))
    healthy = {name: value.item() for name, value in objective(torch.randn(4, 12, 200), step=0, noise=said).items()}
    assert objective.warnings(healthy) == {"alignment_collapse": None}
    twins = torch.randn(1, 12, 200).expand(4, -1, -1)
    row = {name: value.item() for name, value in objective(twins, step=0, noise=said).items()}
    assert row["spread"] < 1e-5
    assert "at one place" in objective.warnings(row)["alignment_collapse"]


def test_words_for_what_is_seen_are_learnt() -> None:
    """Fast and slow sines, called so: after some steps each new one lies nearer to its own word."""
    from ecglfm.models.text.encoders import HashedText

    objective, generator = objective_of(), torch.Generator().manual_seed(0)
    words = torch.from_numpy(HashedText().encode(["fast rhythm", "slow rhythm"]))

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = torch.arange(count) % 2
        time = torch.arange(200) / 100 + torch.rand(count, 1, 1, generator=generator)
        noise = 0.1 * torch.randn(count, 12, 200, generator=generator)
        return torch.sin(2 * torch.pi * (9 - 7 * rows[:, None, None]) * time) + noise, rows

    optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
    for step in range(30):
        x, rows = draw(16)
        loss = objective(x, step=step, noise=Said(rows, words[rows]))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    objective.eval()
    x, rows = draw(32)
    with torch.no_grad():
        ecg, text, _ = objective.alignment(objective.encoder.embed(x), words)
    assert ((ecg @ text.T).argmax(1) == rows).float().mean() == 1


def test_an_average_that_leaves_the_projection_out_is_refused() -> None:
    with pytest.raises(UserError, match=r"pretrain\.ema averages the encoder and not its projection"):
        objective_of(ema=0.99)


def test_weights_in_float16_compare_in_float32() -> None:
    """As under `precision: fp16`; and what is learnt reaches the weights."""
    objective, x = objective_of().eval(), torch.randn(4, 12, 200)
    noise = Said(torch.arange(4), torch.nn.functional.normalize(torch.randn(4, 512), dim=1))
    expected = objective(x, step=0, noise=noise)["loss"]
    with torch.autocast("cpu", torch.float16):
        found = objective.half()(x, step=0, noise=noise)["loss"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=5e-3, atol=0)
    found.backward()
    assert all(weight.grad.any() for weight in objective.alignment.parameters())
