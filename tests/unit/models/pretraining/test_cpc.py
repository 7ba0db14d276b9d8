"""CPC: the loss by hand, frames that may take part, what may not be pretrained so, collapse, resuming and ranks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ecglfm.config import LEADS, EncoderConfig, PreprocessConfig, PretrainConfig, UserError, parse
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.encoders.frontend import Features
from ecglfm.models.pretraining.cpc import Cpc, Places, contrast, feature_spread
from ecglfm.models.pretraining.random import record_keys
from tests.unit.architectures import architecture
from tests.unit.models.test_padding import pad

MODEL = {"kind": "s4", "layers": 2, "dim": 16, "state": 4, "conv_layers": [[3, 2], [1, 1]], "dropout": 0.0}


def objective_of(model: dict | None = None, crop_seconds: float = 1.0, **objective) -> Cpc:
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(**MODEL | (model or {})), LEADS, 100, PreprocessConfig(sampling_rate=100), 1.0)
    said = {"kind": "cpc", "ahead": [2, 5], "anchors": 4, "negatives": 3} | objective
    return Cpc(encoder, PretrainConfig(steps=1, crop_seconds=crop_seconds, objective=said))


def batch_of(records: int, samples: int = 100, valid: list[int] | None = None) -> dict[str, torch.Tensor]:
    batch = {"signal": torch.zeros(records, samples, len(LEADS), dtype=torch.int16)}
    return batch if valid is None else batch | {"valid": torch.tensor(valid)}


def drawn(objective: Cpc, batch: dict[str, torch.Tensor], seed: int) -> Places:
    (places,) = objective.draw([batch], seed, objective.prepare([batch], seed))
    return places


def test_the_loss_is_that_of_its_definition() -> None:
    """Frame after frame in NumPy: -log of the share of exp(product) that the true frame has, mean over all."""
    objective = objective_of().double().eval()
    x = torch.randn(4, 12, 100, dtype=torch.float64)
    noise = drawn(objective, batch_of(4), 7)
    with torch.no_grad():
        output = objective(x, step=0, noise=noise)
        features = objective.encoder.features(x).normed_btc.numpy()
        context = objective.encoder(x).numpy()
    losses, hits = [], []
    for record in range(4):
        for number, ahead in enumerate((2, 5)):
            weight = objective.projections[number].weight.detach().numpy()
            for place, anchor in enumerate(noise.anchors_bm[record].tolist()):
                predicted = weight @ context[record, anchor]
                others = noise.negatives_bhmk[record, number, place].tolist()
                products = [predicted @ features[record, frame] for frame in (anchor + ahead, *others)]
                losses.append(np.log(np.exp(products).sum()) - products[0])
                hits.append(products[0] > max(products[1:]))
    assert len(losses) == 32
    assert float(output["loss"]) == pytest.approx(np.mean(losses), rel=1e-10)
    assert float(output["accuracy"]) == pytest.approx(np.mean(hits))


def test_products_by_hand() -> None:
    predicted = torch.tensor([[[[1.0, 2.0]]]])
    features = torch.tensor([[[3.0, 4.0], [5.0, 6.0], [0.0, -1.0]]], requires_grad=True)
    products = contrast(predicted, features, torch.tensor([[[[1, 2, 0]]]]))
    assert products.tolist() == [[[[17.0, -2.0, 11.0]]]]
    products.sum().backward()  # the frames that are to be known learn, too
    assert features.grad.tolist() == [[[1.0, 2.0]] * 3]


def test_the_spread_by_hand() -> None:
    """2 and 4: 1 of 10 differs; beside it a record of one real frame, where nothing does."""
    x = torch.tensor([[[2.0], [4.0]], [[3.0], [50.0]]])
    assert float(feature_spread(Features(x[:1], x[:1], None))) == pytest.approx(0.1)
    mask = torch.tensor([[True, True], [True, False]])
    assert float(feature_spread(Features(x, x, mask))) == pytest.approx(0.05)


def test_every_frame_that_may_take_part_does_and_no_other() -> None:
    objective = objective_of(ahead=[1, 3], anchors=400, negatives=5)
    noise = drawn(objective, batch_of(3, valid=[100, 60, 13]), 1)  # 50, 30 and 7 frames
    for record, length in enumerate((50, 30, 7)):
        anchors = noise.anchors_bm[record]
        assert set(anchors.tolist()) == set(range(length - 3))
        for number, ahead in enumerate((1, 3)):
            negatives = noise.negatives_bhmk[record, number]
            assert set(negatives.flatten().tolist()) == set(range(length))
            assert (negatives != anchors[:, None] + ahead).all()


def test_places_are_a_records_own_whatever_it_lies_beside() -> None:
    objective = objective_of()
    together = objective.places(record_keys(5, 0, 6), torch.full((6,), 50))
    apart = [objective.places(record_keys(5, first, 3), torch.full((3,), 50)) for first in (0, 3)]
    for name in ("anchors_bm", "negatives_bhmk"):
        assert torch.equal(getattr(together, name), torch.cat([getattr(half, name) for half in apart]))


def test_a_padded_record_has_the_loss_that_it_has_alone() -> None:
    objective = objective_of().double().eval()
    x, mask = pad([100, 61], 100)
    noise = drawn(objective, batch_of(2, valid=[100, 61]), 3)
    with torch.no_grad():
        found = objective(x.double(), step=0, noise=noise, mask=mask)
        alone = [
            objective(x[[row], :, :length].double(), step=0, noise=type(noise)(*(part[[row]] for part in noise)))
            for row, length in enumerate((100, 61))
        ]
    for name in ("loss", "accuracy", "spread"):
        assert float(found[name]) == pytest.approx(np.mean([float(each[name]) for each in alone]), rel=1e-9)


def test_a_planted_collapse_is_seen() -> None:
    """Features that are the same everywhere: the loss is that of guessing, nothing is right, and it is said."""
    objective = objective_of().eval()
    noise = drawn(objective, batch_of(2), 3)
    healthy = {name: value.item() for name, value in objective(torch.randn(2, 12, 100), step=0, noise=noise).items()}
    assert objective.warnings(healthy) == {"feature_collapse": None}
    nn.init.zeros_(objective.encoder.frontend.convs[1].conv.weight)
    nn.init.ones_(objective.encoder.frontend.convs[1].norm.bias)
    row = {name: value.item() for name, value in objective(torch.randn(2, 12, 100), step=0, noise=noise).items()}
    assert row["loss"] == pytest.approx(np.log(4), abs=1e-5)
    assert row["accuracy"] == 0
    assert row["spread"] < 1e-6
    assert "same features" in objective.warnings(row)["feature_collapse"]


def test_what_comes_is_learnt() -> None:
    """Sines of a rate of their own: what comes two frames later follows from what was."""
    objective = objective_of({"dim": 32}, ahead=[3], anchors=16, negatives=16)
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(100) / 100 + torch.rand(16, 1, 1, generator=generator)
    x = torch.sin(2 * torch.pi * (4 + 4 * torch.rand(16, 12, 1, generator=generator)) * time)
    optimizer, course = torch.optim.Adam(objective.parameters(), lr=3e-3), []
    for step in range(60):
        noise = drawn(objective, batch_of(16), step)
        output = objective(x, step=step, noise=noise)
        optimizer.zero_grad()
        output["loss"].backward()
        optimizer.step()
        course.append(output["accuracy"].item())
    assert np.mean(course[:3]) < 0.25  # guessing: 1 in 17
    assert np.mean(course[-5:]) > 0.6


@pytest.mark.parametrize(
    "model",
    [{"kind": "s4", "layers": 1, "dim": 8, "bidirectional": True}, {"layers": 1, "dim": 8, "ffn_dim": 8, "heads": 1}],
)
def test_an_encoder_that_sees_what_comes_is_refused_where_the_config_is_read(model: dict) -> None:
    content = {"model": model, "pretrain": {"steps": 1, "objective": {"kind": "cpc"}}}
    with pytest.raises(UserError) as error:
        parse(EncoderConfig, content, "e.yaml")
    assert str(error.value) == (
        "e.yaml: (whole file): pretrain.objective.kind: cpc predicts what comes, which this encoder sees; write `model.kind: s4`"
        " with `bidirectional: false`"
    )


def test_crops_that_are_too_short_are_refused() -> None:
    with pytest.raises(UserError, match=r"ahead: 9: a crop of 0\.2 s has 10 frames; write less, or raise pretrain"):
        objective_of(crop_seconds=0.2, ahead=[2, 9])
