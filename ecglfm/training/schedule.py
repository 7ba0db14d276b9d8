"""What changes from step to step, as pure functions of the step: learning rate and seeds.

There is no state to save: a resumed training computes the same numbers.
"""

from __future__ import annotations

import math

import numpy as np

from ecglfm.config import ScheduleConfig, UserError


def learning_rate(step: int, *, peak: float, total: int, schedule: ScheduleConfig) -> float:
    """Learning rate of one update: `peak` times `rate_factor`."""
    return peak * rate_factor(step, total=total, schedule=schedule)


def rate_factor(step: int, *, total: int, schedule: ScheduleConfig) -> float:
    """Share of the peak rate in one update.

    The published formulas count updates from 0 and would waste the first one at a rate of 0 or `start`;
    here update number n = step + 1 gets what they give at n, so that the last of `total` gets `final`.

    Parameters
    ----------
    step : int
        Updates done before this one; the first is 0.
    total : int
        Updates in all; only a schedule that `needs_length` depends on it.
    schedule : ScheduleConfig

    Raises
    ------
    UserError
        Warm-up and hold leave no update to decay in.

    Notes
    -----
    Cosine: arXiv:1608.03983, eq. 5. Three stages: arXiv:1904.08779, 4.2, with fairseq's formulas
    (`fairseq/optim/lr_scheduler/tri_stage_lr_scheduler.py`), where `start` is `init_lr_scale`, `final` is
    `final_lr_scale`, and the decay takes what warm-up and hold leave; after it the rate stays at `final`.
    """
    warmup, hold, decay = phases(total, schedule)
    number = step + 1
    if number < warmup:
        return schedule.start + (1 - schedule.start) * number / warmup
    if schedule.kind == "constant":
        return 1.0
    done = min(max(number - warmup - hold, 0) / decay, 1.0)
    if schedule.kind == "cosine":
        return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * done))
    if schedule.decay == "linear":
        return 1 + (schedule.final - 1) * done
    return float(schedule.final**done)


def phases(total: int, schedule: ScheduleConfig) -> tuple[int, int, int]:
    """Updates of warm-up, hold and decay; shares are rounded down.

    Raises
    ------
    UserError
        As `rate_factor`.
    """
    warmup, hold = (math.floor(total * part) if part < 1 else round(part) for part in (schedule.warmup, schedule.hold))
    if schedule.kind != "constant" and warmup + hold >= total:
        raise UserError(
            f"schedule: warm-up ({warmup}) and hold ({hold}) leave none of {total} updates for the {schedule.kind}"
            " decay; shorten them, give shares below 1, or train longer"
        )
    return warmup, hold, max(total - warmup - hold, 1)


def seed_of(seed: int, *key: int) -> int:
    """A seed for one purpose, e.g. (step, forward, rank): different keys give unrelated seeds.

    Returns
    -------
    int
        Between 0 and 2^63 - 1, as `torch.Generator.manual_seed` takes it.
    """
    return int(np.random.SeedSequence([seed, *key]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def is_due(step: int, every: int, last: int) -> bool:
    """Whether something done every `every` updates is due after update number `step`; always at the last."""
    return step % every == 0 or step == last
