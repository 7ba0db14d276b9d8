"""`benchmark thresholds`: what thresholds chosen by few positives reach, swept and smoothed, beside the best.

Log odds of a label are normal, with and without it (AUROC 0.98), as a network's are that has learnt it; 2,000 records.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_MEAN, _SPREAD, _SHIFT = -6.0, 2.0, 6.0
_RECORDS = 2000
_POSITIVES = (1, 2, 5, 10, 20, 50)
_CRITERIA = {"f1": "F1", "youden": "Youden's J", "sensitivity": "sensitivity, 0.9 wanted"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--simulations", type=int, default=400, help="validation splits of each line")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation")


def run(args: argparse.Namespace) -> None:
    """Simulate and print a table."""
    print("| criterion | positives in valid | swept | smoothed | best possible |\n|---|---|---|---|---|")
    for criterion, title in _CRITERIA.items():
        for positives in _POSITIVES:
            found = compare(criterion, positives, args.simulations, args.seed)
            print(f"| {title} | {positives} | {' | '.join(f'{value:.2f}' for value in found)} |", flush=True)


def compare(criterion: Any, positives: int, simulations: int, seed: int) -> tuple[float, float, float]:
    """Mean of what swept and smoothed thresholds reach on new records, and the most that any does."""
    import numpy as np
    from scipy.special import expit

    from ecglfm.training.finetuning import Rule, choose_threshold

    rng, reached = np.random.default_rng([seed, positives]), []
    for _ in range(simulations):
        target, probability = simulate(positives, rng)
        rules = (Rule(criterion, min_positives=least) for least in (0, positives + 1))
        chosen = [choose_threshold(target, probability, np.arange(len(target)), rule, resamples=0) for rule in rules]
        reached.append([reach(one.value, criterion, positives) for one in chosen])
    swept, smoothed = np.mean(reached, axis=0).tolist()
    best = max(reach(value, criterion, positives) for value in expit(np.linspace(-12, 6, 2000)))
    return swept, smoothed, 0.9 if criterion == "sensitivity" else best


def simulate(positives: int, rng: np.random.Generator, records: int = _RECORDS) -> tuple[np.ndarray, np.ndarray]:
    """Truth and probabilities of a validation split."""
    import numpy as np
    from scipy.special import expit

    target = (np.arange(records) < positives).astype(float)
    return target, expit(rng.normal(_MEAN, _SPREAD, records) + _SHIFT * target)


def reach(threshold: float, criterion: str, positives: int, records: int = _RECORDS) -> float:
    """What a threshold gives on endless records of the same kind."""
    from scipy.special import logit
    from scipy.stats import norm

    has, others = (float(norm.sf((logit(threshold) - mean) / _SPREAD)) for mean in (_MEAN + _SHIFT, _MEAN))
    if criterion != "f1":
        return has - others * (criterion == "youden")
    right, wrong = positives * has, (records - positives) * others
    return 2 * right / (right + wrong + positives)
