"""JEPA: the loss by hand, what the target is and how it follows, padding, a planted collapse, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ecglfm.config import PretrainConfig
from tests.unit.models.pretraining.patch_objectives import alone, drawn, objective_of, signal


@pytest.mark.parametrize("distance", ["l1", "smooth_l1", "l2"])
@pytest.mark.parametrize("form", [{}, {"repeat_positions": True, "attention": "lead_or_time", "qkv_bias": False}])
def test_the_loss_is_that_of_its_definition(form, distance) -> None:
    """Patch after patch in NumPy: the distance to the target's frame there, at mean 0 and deviation 1."""
    objective = objective_of("jepa", form, distance=distance).double().eval()
    for parameter in objective.encoder.parameters():  # or the target is the encoder
        nn.init.normal_(parameter, std=0.3)
    x, noise = signal().double(), drawn(objective)
    with torch.no_grad():
        output = objective(x, step=0, noise=noise)
        frames = objective.target(x).numpy()
        seen = objective.encoder.encode_some(x, noise.seen_bv)
        predicted = objective.predictor(seen, noise, (3, 10)).numpy()
    losses = []
    for record in range(4):
        for number, place in enumerate(noise.hidden_bh[record].tolist()):
            target = frames[record, place] - frames[record, place].mean()
            target /= np.sqrt(target.var() + 1e-5)
            away = np.abs(predicted[record, number] - target)
            way = {"l1": away, "l2": away**2, "smooth_l1": np.where(away < 1, away**2 / 2, away - 0.5)}
            losses.append(way[distance].mean())
    assert len(losses) == 4 * 22
    assert float(output["loss"]) == pytest.approx(np.mean(losses), rel=1e-9)


def test_the_target_follows_by_the_momentum_of_the_update_and_is_what_is_written() -> None:
    objective = objective_of("jepa", momentum=(0.5, 0.9, 2)).train()
    name, weight = "vit.layers.1.fc1.weight", objective.encoder.vit.layers[1].fc1.weight
    first = weight.detach().clone()
    assert torch.equal(objective.exported.state_dict()[name], first)
    expected = first.clone()
    for update, momentum in enumerate((0.5, 0.7, 0.9, 0.9)):
        nn.init.constant_(weight, float(update))
        row = objective(signal(), step=update, noise=drawn(objective))  # draws once
        expected = momentum * expected + (1 - momentum) * update
        torch.testing.assert_close(objective.exported.state_dict()[name], expected)
        assert float(row["momentum"]) == pytest.approx((0.7, 0.9, 0.9, 0.9)[update])
    objective.eval()
    drawn(objective)  # a validation moves nothing
    torch.testing.assert_close(objective.exported.state_dict()[name], expected)
    assert int(objective.updates) == 4


def test_the_target_is_saved_and_neither_learns_nor_drops_out() -> None:
    objective = objective_of("jepa", {"dropout": 0.5}).train()
    parameters, buffers = dict(objective.named_parameters()), dict(objective.named_buffers())
    assert not [name for name in parameters if name.startswith("target.")]
    own = [name for name in parameters if name.startswith("encoder.")]
    assert {name.replace("encoder.", "target.", 1) for name in own} == {name for name in buffers if name != "updates"}
    assert set(objective.target.state_dict()) == set(objective.encoder.state_dict())
    assert objective.encoder.training
    assert not objective.target.training
    assert torch.equal(objective.target(signal()), objective.target(signal()))
    assert not torch.equal(objective.encoder(signal()), objective.encoder(signal()))
    objective(signal(), step=0, noise=drawn(objective))["loss"].backward()
    assert not any(buffer.requires_grad for buffer in buffers.values())


def test_the_encoder_does_not_see_what_is_hidden() -> None:
    objective = objective_of("jepa").eval()
    x, noise, entered = signal(), drawn(objective), []
    objective.encoder.vit.layers[0].register_forward_pre_hook(lambda _, args: entered.append(args[0]))
    objective(x, step=0, noise=noise)
    other = x.clone()
    for record in range(4):
        for line, time in (divmod(place, 10) for place in noise.hidden_bh[record].tolist()):
            other[record, line, 20 * time : 20 * time + 20] += 1
    objective(other, step=0, noise=noise)
    assert entered[0].shape == (4, 8, 16)  # of 30 patches 22 cost nothing
    assert torch.equal(entered[0], entered[1])


@pytest.mark.parametrize("form", [{}, {"repeat_positions": True, "attention": "lead_or_time"}])
def test_a_padded_record_has_the_loss_that_it_has_alone(form) -> None:
    objective, lengths = objective_of("jepa", form).double().eval(), [200, 119, 60]
    x = signal(3).double()
    mask = torch.arange(200) < torch.tensor(lengths)[:, None]
    noise = drawn(objective, 3, valid=lengths)
    with torch.no_grad():
        found = objective(x, step=0, noise=noise, mask=mask)
        losses = [
            float(objective(x[[row], :, :length], step=0, noise=alone(noise, row, length // 20, 10))["loss"])
            for row, length in enumerate(lengths)
        ]
    assert float(found["loss"]) == pytest.approx(np.mean(losses), rel=1e-9)


def test_a_planted_collapse_is_seen() -> None:
    """A target that gives every record the same: easily predicted, and it is said; not where records differ."""
    objective = objective_of("jepa", momentum=(0.0, 0.0, 1)).train()
    noise = drawn(objective)
    healthy = {name: value.item() for name, value in objective(signal(), step=0, noise=noise).items()}
    assert healthy["spread"] > 1e-3
    assert objective.warnings(healthy) == {"embedding_collapse": None}
    nn.init.zeros_(objective.encoder.vit.patches.linear.weight)
    noise = drawn(objective)  # the target follows at once
    row = {name: value.item() for name, value in objective(signal(), step=0, noise=noise).items()}
    assert row["spread"] < 1e-9
    assert "same embedding" in objective.warnings(row)["embedding_collapse"]
    assert objective.warnings(row | {"loss": float("nan")}) == {"embedding_collapse": None}


def test_what_is_hidden_is_learnt_and_nothing_collapses() -> None:
    """Levels, one for each record: what is hidden is what is seen."""
    objective = objective_of(
        "jepa", {"dim": 32, "heads": 4}, hidden={"share": 0.5, "length": 3}, momentum=(0.99, 0.99, 1)
    )
    optimizer, course, generator = (
        torch.optim.Adam(objective.parameters(), lr=3e-3),
        [],
        torch.Generator().manual_seed(0),
    )
    for step in range(80):
        noise = drawn(objective.train(), 16, seed=step)
        output = objective(torch.randn(16, 1, 1, generator=generator).expand(-1, 3, 200), step=step, noise=noise)
        optimizer.zero_grad()
        output["loss"].backward()
        optimizer.step()
        course.append((output["explained"].item(), output["spread"].item()))
    assert course[0][0] < 0
    assert np.mean([explained for explained, _ in course[-5:]]) > 0.7
    assert course[-1][1] > 0.2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"zero_stage": 3}, "`objective.kind: jepa` needs whole weights on every process: use zero_stage 0, 1 or 2"),
        ({"ema": 0.9}, "`objective.kind: jepa` has an average of its own, which is what is written: leave ema out"),
        ({"precision": "fp16"}, "`objective.kind: jepa` averages weights, too finely for float16"),
        ({"objective": {"kind": "jepa", "momentum": [0.9, 0.5, 10]}}, "0.9, 0.5, 10: give two shares, the smaller"),
        ({"objective": {"kind": "jepa", "momentum": [0.5, 0.9, 0]}}, "0.5, 0.9, 0: give two shares"),
        ({"mask": {"length": 3}}, "`objective.kind: jepa` does not read `mask`; leave it out"),
    ],
)
def test_a_training_in_which_it_would_go_wrong_is_refused(changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        PretrainConfig.model_validate({"steps": 1, "objective": {"kind": "jepa"}} | changes)
