"""Learning rates by hand and by PyTorch's own schedulers; seeds."""

from __future__ import annotations

import math

import pytest
import torch

from ecglfm.config import ScheduleConfig, UserError
from ecglfm.training.schedule import is_due, learning_rate, phases, rate_factor, seed_of


def factors(total: int, **options) -> list[float]:
    schedule = ScheduleConfig(**options)
    return [rate_factor(step, total=total, schedule=schedule) for step in range(total)]


def test_warm_up_is_linear_then_constant():
    rates = [learning_rate(step, peak=0.4, total=6, schedule=ScheduleConfig(warmup=4)) for step in range(6)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_without_warm_up_every_update_has_the_peak():
    assert [learning_rate(step, peak=5e-4, total=3, schedule=ScheduleConfig()) for step in (0, 2, 9)] == [5e-4] * 3


def test_cosine_by_hand():
    assert factors(4, kind="cosine", final=0.0) == pytest.approx(
        [(1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0.0], abs=1e-15
    )
    assert factors(6, kind="cosine", warmup=2, final=0.2) == pytest.approx(
        [0.5, 1.0, 0.2 + 0.4 * (1 + math.sqrt(0.5)), 0.6, 0.2 + 0.4 * (1 - math.sqrt(0.5)), 0.2]
    )


def test_tri_stage_by_hand():
    common = {"kind": "tri_stage", "warmup": 2, "hold": 2, "start": 0.5, "final": 0.0625}
    assert factors(8, **common) == pytest.approx([0.75, 1, 1, 1, 0.5, 0.25, 0.125, 0.0625])
    assert factors(8, decay="linear", **common) == pytest.approx([0.75, 1, 1, 1, 0.765625, 0.53125, 0.296875, 0.0625])


def fairseq_tri_stage(update: int, *, warmup: int, hold: int, decay: int, start: float, final: float) -> float:
    """The formulas of fairseq's `step_update`, with its decision between the stages."""
    if update < warmup:
        return start + (1 - start) / warmup * update
    if update < warmup + hold:
        return 1.0
    if update <= warmup + hold + decay:
        return math.exp(math.log(final) / decay * (update - warmup - hold))
    return final


def test_tri_stage_is_fairseqs_one_update_ahead():
    ours = factors(200, kind="tri_stage", warmup=0.1, hold=0.4, start=0.01, final=0.05)
    theirs = [fairseq_tri_stage(n, warmup=20, hold=80, decay=100, start=0.01, final=0.05) for n in range(1, 201)]
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_cosine_is_pytorchs_and_transformers_one_update_ahead():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    parts = [
        torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, end_factor=1.0, total_iters=10),
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40, eta_min=0.1),
    ]
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, parts, milestones=[10])
    theirs = []
    for _ in range(50):
        optimizer.step()
        scheduler.step()
        theirs.append(scheduler.get_last_lr()[0])
    assert factors(50, kind="cosine", warmup=10, start=0.1, final=0.1) == pytest.approx(theirs, rel=1e-9)
    # transformers.get_cosine_schedule_with_warmup: max(0, (1 + cos(pi * 2 * cycles * progress)) / 2), cycles 1/2
    lambdas = [n / 10 if n < 10 else max(0.0, 0.5 * (1 + math.cos(math.pi * (n - 10) / 40))) for n in range(1, 51)]
    assert factors(50, kind="cosine", warmup=10, final=0.0) == pytest.approx(lambdas, abs=1e-15)


def test_shares_are_of_all_updates_rounded_down_and_the_rate_stays_after_the_last():
    schedule = ScheduleConfig(kind="tri_stage", warmup=0.25, hold=3, final=0.1)
    assert phases(11, schedule) == (2, 3, 6)
    assert rate_factor(10, total=11, schedule=schedule) == pytest.approx(0.1)
    assert rate_factor(99, total=11, schedule=schedule) == pytest.approx(0.1)
    assert phases(10, ScheduleConfig(warmup=1)) == (1, 0, 9)


def test_no_update_left_to_decay_in_is_refused():
    with pytest.raises(
        UserError, match=r"warm-up \(8\) and hold \(2\) leave none of 10 updates for the tri_stage decay"
    ):
        phases(10, ScheduleConfig(kind="tri_stage", warmup=8, hold=0.2))
    assert phases(10, ScheduleConfig(warmup=20)) == (20, 0, 1)  # as long as a constant rate is to come, it may wait


def test_due_every_so_often_and_at_the_end():
    assert [step for step in range(1, 11) if is_due(step, 4, 10)] == [4, 8, 10]


def test_seeds_depend_on_every_part_of_the_key():
    seeds = {seed_of(seed, step, rank) for seed in range(3) for step in range(3) for rank in range(3)}
    assert len(seeds) == 27
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of(0, 1, 2) == seed_of(0, 1, 2)
