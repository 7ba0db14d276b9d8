"""What changes from step to step, as pure functions of the step: learning rate and seeds.

There is no state to save: a resumed training computes the same numbers.
"""

from __future__ import annotations

import numpy as np


def learning_rate(step: int, *, peak: float, warmup_steps: int) -> float:
    """Learning rate of one update: linear warm-up, then constant (ECG-LFM: constant from the start).

    Parameters
    ----------
    step : int
        Updates done before this one; the first is 0.
    peak : float
        Rate after the warm-up.
    warmup_steps : int
        Updates until the peak is reached; 0 begins with it.
    """
    return peak * min(1.0, (step + 1) / warmup_steps) if warmup_steps else peak


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
