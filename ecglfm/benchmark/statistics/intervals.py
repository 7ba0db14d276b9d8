"""`benchmark intervals`: how often intervals of metrics hold the truth, on simulated tests with few positive patients.

Scores of positives and negatives are normal, so that every metric has a true value. Patients have one recording, or
several that are alike by half. The intervals are those of `evaluate`, and beside them plain percentiles of resamples.
"""

from __future__ import annotations

import argparse
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from ecglfm.evaluation.metrics import Outcome

#: Share of a score that recordings of one patient have in common.
_ALIKE = 0.5


class Case(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    positives : int
        Patients who have the label; on average, where `drawn`.
    quality : float
        AUROC, or with `survival` about the C-index.
    records, patients : int
        Recordings of each patient, and patients.
    labels : int
        More than one: the macro value is what is looked at.
    drawn : bool
        Every patient has the label by chance, as predictive values and F1 suppose.
    slope : float
        Log odds are said so many times too large: above 1 the model is too sure.
    survival : bool
    """

    positives: int = 10
    quality: float = 0.8
    records: int = 1
    patients: int = 300
    labels: int = 1
    drawn: bool = False
    slope: float = 1.0
    survival: bool = False


CASES = (
    *(Case(p, quality, records) for records in (1, 3) for quality in (0.8, 0.95) for p in (3, 5, 10, 20, 50)),
    *(Case(p, quality, drawn=True) for quality in (0.8, 0.95) for p in (5, 10, 20, 50)),
    *(Case(p, quality, labels=20) for quality in (0.8, 0.95) for p in (5, 10)),
    Case(12, records=3, labels=20),
    *(Case(p, survival=True) for p in (5, 10, 20, 50)),
    *(Case(n // 3, slope=slope, patients=n, drawn=True) for slope in (1.0, 1.3, 2.0) for n in (100, 300, 2200)),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--simulations", type=int, default=1000, help="tests of each case")
    parser.add_argument("--resamples", type=int, default=300, help="resamples of patients in each")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation")


def run(args: argparse.Namespace) -> None:
    """Simulate and print two tables."""
    from tqdm import tqdm

    from ecglfm.benchmark.statistics import interval_kinds as kinds
    from ecglfm.evaluation.metrics import LABEL_METRICS

    settings = {"simulations": args.simulations, "resamples": args.resamples, "seed": args.seed}

    titles = [metric.title for metric in LABEL_METRICS]
    columns = ("patients", "positives", "true AUROC", "labels", "slope", "tests", *titles, "AUROC, percentiles")
    names = (*(metric.name for metric in LABEL_METRICS), "percentiles")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for case in tqdm(CASES, disable=None):
        held = coverage(case, **settings)
        patients = f"{case.patients}" + (f" x {case.records}" if case.records > 1 else "")
        positives = f"{'about ' if case.drawn else ''}{case.positives}" + (" events" if case.survival else "")
        found = [f"{100 * held[name]:.0f}" if name in held else "" for name in names]
        cells = (patients, positives, case.quality, case.labels, case.slope, args.simulations, *found)
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
    print("\n| kind | patients | events | tests | metric: held (percentiles) |\n|---|---|---|---|---|")
    for one in tqdm(kinds.CASES, disable=None):
        shares = kinds.coverage(one, **settings)
        parts = [
            f"{name} {100 * shares[name]:.0f} ({100 * shares[f'{name} percentiles']:.0f})"
            for name in shares
            if f"{name} percentiles" in shares
        ]
        patients = f"{one.patients}" + (f" x {one.records}" if one.records > 1 else "")
        print(f"| {one.kind} | {patients} | {one.events or ''} | {args.simulations} | {', '.join(parts)} |", flush=True)


def coverage(case: Case, *, simulations: int, resamples: int, seed: int) -> dict[str, float]:
    """Share of simulated tests whose 95 % interval holds the truth, by metric; `percentiles`: of AUROC, plain ones.

    Labels with too few patients for a value have none, and no part in it; the floor of `evaluate.min_patients` is not
    applied. Of survival the C-index stands under `auroc`.
    """
    import numpy as np

    from ecglfm.evaluation.metrics import interval, mean_defined, resampled_values, summarize

    truth, held = _truth(case), dict[str, list[bool]]()
    for number in range(simulations):
        data = _simulate(case, np.random.default_rng([seed, number]))
        settings = {"resamples": resamples, "seed": number}
        macro = summarize(data, **settings, confidence=0.95, min_patients=1)["macro"]
        for name, value in truth.items():
            entry = macro["c_index" if case.survival else name]
            if entry["ci_low"] is not None:
                held.setdefault(name, []).append(entry["ci_low"] - 1e-9 <= value <= entry["ci_high"] + 1e-9)
        low, high = interval(mean_defined(resampled_values(data, **settings)[:, 0]), 0.95)
        if low is not None and high is not None:
            held.setdefault("percentiles", []).append(low <= truth["auroc"] <= high)
    return {name: float(np.mean(values)) for name, values in held.items()}


def _strength(case: Case) -> float:
    """Distance of the means of positives and negatives."""
    from scipy.stats import norm

    return float(2**0.5 * norm.ppf(case.quality))


def _said(case: Case, score: np.ndarray) -> np.ndarray:
    """Probability that a model says: the true one given the score, but for the slope of its log odds."""
    import numpy as np

    prevalence, strength = case.positives / case.patients, _strength(case)
    log_odds = np.log(prevalence / (1 - prevalence)) + strength * score - strength**2 / 2
    return 1 / (1 + np.exp(-case.slope * log_odds))


@cache
def _truth(case: Case) -> dict[str, float]:
    """True metrics: of endless patients, by a million of them."""
    import numpy as np

    from ecglfm.evaluation.metrics import LABEL_METRICS, label_metrics, point_values

    if case.survival:
        rng = np.random.default_rng(7)
        many = [
            _simulate(case._replace(patients=4000, positives=case.positives * 4000 // case.patients), rng)
            for _ in range(40)
        ]
        return {"auroc": float(np.mean([point_values(data)[0, 0] for data in many]))}
    rng, count = np.random.default_rng(7), 1_000_000
    target = (np.arange(count) < count * case.positives / case.patients).astype(float)
    said = _said(case, rng.normal(size=count) + _strength(case) * target)
    found = label_metrics(target, said, _threshold(case), np.ones((count, 1)))
    values = {name: float(value[0]) for name, value in found.items()}
    exact = {"auroc": case.quality} | ({"ece": 0.0} if case.slope == 1 else {})
    # Of a set number of positives only what does not depend on how many there are.
    wanted = [metric.name for metric in LABEL_METRICS if case.drawn or metric.by_group]
    return {name: (values | exact)[name] for name in wanted}


def _threshold(case: Case) -> float:
    """Decision between the two means, somewhat nearer to the positives'."""
    import numpy as np

    return float(_said(case, np.array([0.6 * _strength(case)]))[0])


def _simulate(case: Case, rng: np.random.Generator) -> Outcome:
    """One test split."""
    import numpy as np

    from ecglfm.evaluation.metrics import Predictions, SurvivalPredictions

    names, rows = [f"label{label}" for label in range(case.labels)], np.repeat(np.arange(case.patients), case.records)
    shape, patients = (case.patients, case.labels), rows.astype(str)
    if case.survival:
        risk = rng.normal(size=shape)
        time = rng.exponential(np.exp(-_strength(case) * risk))
        end = np.quantile(time, case.positives / case.patients, axis=0)
        events = (time < end) * 1.0
        return SurvivalPredictions(names, np.minimum(time, end), events, risk, patients, [None] * case.labels)
    share = case.positives / case.patients
    given = (
        rng.random(shape)
        if case.drawn
        else rng.permuted(np.arange(case.patients)[:, None].repeat(case.labels, 1), axis=0) / case.patients
    )
    target = (given < share)[rows] * 1.0
    alike = _ALIKE if case.records > 1 else 0.0
    noise = alike**0.5 * rng.normal(size=shape)[rows] + (1 - alike) ** 0.5 * rng.normal(size=target.shape)
    thresholds = np.full(target.shape, _threshold(case))
    return Predictions(names, target, _said(case, noise + _strength(case) * target), thresholds, patients)
