"""What the next update needs is fetched ahead, once, and is what it would be otherwise."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from ecglfm.config import PretrainConfig, parse
from ecglfm.training.pretraining import upcoming as upcoming_module
from ecglfm.training.pretraining.upcoming import NOISE, Upcoming
from ecglfm.training.schedule import seed_of


class Notes:
    """An objective that notes what it is asked."""

    def __init__(self):
        self.asked = []

    def prepare(self, batches, seed):
        self.asked.append(("prepare", [batch["forward"] for batch in batches], seed))
        return f"of {seed}"

    def draw(self, batches, seed, prepared):
        self.asked.append(("draw", [batch["forward"] for batch in batches], seed))
        assert prepared == f"of {seed}"
        for batch in batches:
            yield f"noise {batch['forward']}"


@pytest.mark.parametrize("ahead", [False, True])
def test_forwards_come_in_their_order_with_their_noise(ahead):
    objective, config = Notes(), PretrainConfig(steps=9, accumulate=2, seed=5)
    seeds = [seed_of(5, NOISE, step) for step in (7, 8)]
    upcoming = Upcoming(objective, ({"forward": number} for number in range(4)), config, done=7)
    for update in range(2):
        upcoming.prepare()  # is done once
        forwards = upcoming.take()
        if ahead:
            upcoming.prepare()
        expected = [({"forward": number}, f"noise {number}") for number in (2 * update, 2 * update + 1)]
        assert list(forwards) == expected
    upcoming.prepare()  # there is no more
    prepared = [("prepare", [0, 1], seeds[0]), ("prepare", [2, 3], seeds[1])]
    drawn = [("draw", [0, 1], seeds[0]), ("draw", [2, 3], seeds[1])]
    if ahead:
        assert objective.asked == [prepared[0], prepared[1], *drawn]
    else:
        assert objective.asked == [prepared[0], drawn[0], prepared[1], drawn[1]]


def test_nothing_is_fetched_before_it_is_wanted():
    fetched = []

    def batches():
        for number in range(3):
            fetched.append(number)
            yield {"forward": torch.tensor(number)}

    upcoming = Upcoming(Notes(), batches(), PretrainConfig(steps=3))
    assert fetched == []
    list(upcoming.take())
    assert fetched == [0]
    upcoming.prepare()
    assert fetched == [0, 1]


def test_segments_are_changed_by_their_place_in_the_update(monkeypatch):
    """Six records on one process, or three forwards of one on each of two ranks."""
    objective = SimpleNamespace(encoder=SimpleNamespace(leads=["I", "II"], sampling_rate=100))
    config = parse(PretrainConfig, {"steps": 9, "seed": 5, "augment": [{"kind": "gain", "probability": 1.0}]}, "x")
    x = torch.ones(6, 2, 3)

    def changed(step, forward, records):
        return Upcoming(objective, iter(()), config).change(step, forward, len(records))(records, None)

    whole = changed(4, 0, x)
    assert whole[:, 0, 0].unique().numel() == 6
    monkeypatch.setattr(upcoming_module.distributed, "world_size", lambda: 2)
    for place in range(6):
        monkeypatch.setattr(upcoming_module.distributed, "rank", lambda place=place: place % 2)
        assert torch.equal(changed(4, place // 2, x[:1]), whole[place : place + 1])
    assert not torch.equal(changed(5, 0, x[:1]), whole[5:])
    assert Upcoming(objective, iter(()), PretrainConfig(steps=9)).change(0, 0, 6) is None
