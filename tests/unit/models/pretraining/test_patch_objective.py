"""The predictor, places of an update, and what is watched, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ecglfm.config import UserError
from ecglfm.models.encoders import grid_positions
from ecglfm.models.pretraining.blocks import Places
from ecglfm.models.pretraining.patch_objective import at, embedding_spread, explained, mean_of_places
from tests.unit.models.pretraining.patch_objectives import LEADS, drawn, objective_of, signal


def test_the_predictor_sees_frames_and_places_and_tells_hidden_ones_apart_by_their_places() -> None:
    predictor = objective_of("jepa", predictor={"layers": 2, "heads": 2}).predictor
    assert (predictor.dim, predictor.leave.out_features) == (8, 16)
    x, places = torch.randn(2, 3, 16), Places(torch.tensor([[0, 4, 9]] * 2), torch.tensor([[1, 29], [29, 1]]))
    entered = []
    predictor.layers[0].register_forward_pre_hook(lambda _, args: entered.append(args[0]))
    found = predictor(x, places, (3, 10))
    positions = grid_positions(3, 10, 8, joined=False, like=x).flatten(0, 1)
    torch.testing.assert_close(entered[0][:, 1], predictor.enter(x)[:, 1] + positions[4])
    torch.testing.assert_close(entered[0][0, 4], predictor.token + positions[29])
    swapped = predictor(x[[0, 0]], places, (3, 10))
    torch.testing.assert_close(swapped[0], swapped[1].flip(0))  # the order in which they are asked for has no part
    assert not torch.allclose(found[0, 0], found[0, 1])
    padded = Places(*places[:2], torch.tensor([[True, True, False]] * 2), torch.tensor([[True, False]] * 2))
    fewer = Places(places.seen_bv[:, :2], places.hidden_bh[:, :1])
    torch.testing.assert_close(predictor(x, padded, (3, 10))[:, :1], predictor(x[:, :2], fewer, (3, 10)))


def test_the_predictor_begins_with_scores_that_differ() -> None:
    """Glorot's bounds, sqrt(6 / (in + out)): with the 0.02 of wide transformers it attends to all alike for long."""
    predictor = objective_of("mae", decoder={"dim": 32, "layers": 1, "heads": 2}).decoder
    layer = predictor.layers[0]
    for linear, bound in ((layer.self_attn.q_proj, (6 / 64) ** 0.5), (layer.fc1, (6 / 160) ** 0.5)):
        assert 0.95 * bound < float(linear.weight.detach().abs().max()) <= bound
        assert not linear.bias.any()


def test_places_follow_the_place_in_the_update_over_forwards_and_ranks(monkeypatch) -> None:
    objective = objective_of("mae")
    batch = {"signal": torch.zeros(4, 200, len(LEADS), dtype=torch.int16)}
    half = {"signal": batch["signal"][:2]}
    (whole,) = objective.prepare([batch], 3)
    forwards = objective.prepare([half, half], 3)
    assert torch.equal(whole.hidden_bh, torch.cat([part.hidden_bh for part in forwards]))
    monkeypatch.setattr("ecglfm.distributed.world_size", lambda: 2)
    monkeypatch.setattr("ecglfm.distributed.rank", lambda: 1)
    assert torch.equal(objective.prepare([half], 3)[0].hidden_bh, whole.hidden_bh[2:])


def test_lengths_come_with_the_records() -> None:
    noise = drawn(objective_of("mae"), valid=[200, 200, 119, 60])  # 10, 10, 5 and 3 patches a lead
    assert noise.real_hidden_bh.sum(1).tolist() == [22, 22, 11, 7]
    assert noise.real_seen_bv.sum(1).tolist() == [8, 8, 4, 2]


def test_each_record_counts_as_one() -> None:
    x = torch.tensor([[1.0, 2.0, 6.0], [10.0, 99.0, 99.0]])
    assert float(mean_of_places(x, torch.tensor([[True, True, True], [True, False, False]]))) == pytest.approx(6.5)
    assert float(mean_of_places(x[:1], None)) == 3.0
    rows = torch.arange(12.0).view(2, 3, 2)
    assert at(rows, torch.tensor([[2, 0], [1, 1]])).tolist() == [[[4, 5], [0, 1]], [[8, 9], [8, 9]]]


def test_what_is_explained_by_hand() -> None:
    """Two channels: 1, 3 and 10, 30 about means of 2 and 20, a variance of 202; predicted with errors of 1 and 10."""
    target = torch.tensor([[[1.0, 10.0], [3.0, 30.0]]])
    assert float(explained(target, target, None)) == 1.0
    assert float(explained(torch.tensor([[[2.0, 20.0]] * 2]), target, None)) == pytest.approx(0.0)
    assert float(explained(torch.tensor([[[2.0, 10.0], [3.0, 20.0]]]), target, None)) == pytest.approx(1 - 101 / 202)
    real, more = torch.tensor([[True, True, False]]), torch.cat([target, torch.full((1, 1, 2), 500.0)], 1)
    assert float(explained(torch.zeros(1, 3, 2), more, real)) == pytest.approx(1 - (1 + 9 + 100 + 900) / 202)


def test_the_spread_of_embeddings_by_hand() -> None:
    """2 and 4 beside 1 and 1: of 22 squares 2 differ; a millionth is told from nothing."""
    assert float(embedding_spread(torch.tensor([[2.0, 1.0], [4.0, 1.0]]))) == pytest.approx(2 / 22)
    assert float(embedding_spread(torch.ones(3, 5))) == 0.0
    nearly = torch.tensor([[1000.0, 1000.0], [1000.0, 1002.0]])
    assert float(embedding_spread(nearly)) == pytest.approx(1 / (1000**2 + (1000**2 + 1002**2) / 2), rel=1e-4)


def test_every_weight_learns() -> None:
    for kind in ("jepa", "mae"):
        objective = objective_of(kind)
        objective(torch.randn(4, 3, 200), step=0, noise=drawn(objective))["loss"].backward()
        still = [name for name, weight in objective.named_parameters() if weight.grad is None or not weight.grad.any()]
        assert [name for name in still if not name.endswith("k_proj.bias")] == []  # which moves no softmax
        assert all(isinstance(weight, nn.Parameter) for weight in objective.encoder.parameters())


@pytest.mark.parametrize("attention", ["all", "lead_or_time"])
def test_float16_hides_padding_as_float32_does(attention) -> None:
    """As under `precision: fp16`, whose weights are float16, too; float16 has no -1e9."""
    objective = objective_of("mae", {"attention": attention}).eval()
    noise, x = drawn(objective, valid=[200, 200, 119, 60]), signal()
    mask = torch.arange(200) < torch.tensor([200, 200, 119, 60])[:, None]
    expected = objective(x, step=0, noise=noise, mask=mask)["loss"]
    with torch.autocast("cpu", torch.float16):
        found = objective.half()(x, step=0, noise=noise, mask=mask)["loss"]
        other = objective(x.masked_fill(~mask[:, None], 5.0), step=0, noise=noise, mask=mask)["loss"]
    torch.testing.assert_close(found, expected, rtol=5e-3, atol=0)
    assert torch.equal(found, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"patch": 101}, "hidden": {"leads": None}}, r"2 s have 1 patches; hiding needs 2"),
        ({"pretrain": {"min_seconds": 0.1}}, r"min_seconds \(or crop_seconds\): 0.1 s have 0 patches"),
        ({"predictor": {"dim": 12, "heads": 5}}, "predictor: dim 12 is no multiple of 4 and of heads 5; change one"),
        ({"predictor": {"dim": 10, "heads": 5}}, "predictor: dim 10 is no multiple of 4 and of heads 5; change one"),
        ({"model": {"tokens": "leads"}}, "hidden.leads: a patch is of all leads together"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message) -> None:
    with pytest.raises(UserError, match=message):
        objective_of("jepa", **changes)
