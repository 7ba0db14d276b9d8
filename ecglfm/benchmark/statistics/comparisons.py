"""`benchmark comparisons`: how often equal encoders are called better or worse, and truly better ones better.

Encoders score simulated patients through the code that `compare` runs. Null: all are equally good, but for the chance
of their trainings. Power: the first is better by a known difference. A family counts as called when any of it is.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from ecglfm.evaluation.metrics import Outcome

_METRICS = {"auroc": ("auroc",), "c_index": ("c_index",), "regression": ("mae", "r2", "pearson")}


class Case(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    what : str
        `auroc`, `c_index` or `regression`.
    patients, records : int
        Of the test split, and recordings of each.
    positives : int
        Patients who have a label.
    labels, encoders, seeds : int
    quality : float
        AUROC of every encoder; noise of the others is such that it would be theirs.
    trainings : float
        Standard deviation of AUROC between trainings of one encoder.
    difference : float
        By how much the first encoder's AUROC is better.
    """

    what: str = "auroc"
    patients: int = 300
    records: int = 1
    positives: int = 10
    labels: int = 20
    encoders: int = 2
    seeds: int = 1
    quality: float = 0.8
    trainings: float = 0.0
    difference: float = 0.0


CASES = (
    *(Case(positives=positives, quality=quality) for quality in (0.8, 0.95) for positives in (2, 5, 10, 30)),
    Case(positives=12, records=3),
    Case(labels=1),
    *(Case(positives=positives, encoders=6) for positives in (5, 30)),
    *(Case(positives=30, seeds=seeds, trainings=sd) for seeds in (2, 3, 5) for sd in (0.0, 0.01, 0.02)),
    Case(positives=30, encoders=6, seeds=3, trainings=0.02),
    Case(patients=2000, positives=200, labels=5, seeds=3, trainings=0.02),
    Case(patients=2000, positives=200, labels=5, encoders=6, seeds=3, trainings=0.02),
    Case("c_index", positives=20, labels=3),
    Case("c_index", positives=100, labels=3, seeds=3, trainings=0.02),
    Case("regression", patients=100, labels=3),
    Case("regression", labels=3, seeds=3, trainings=0.02),
    *(Case(positives=30, difference=difference) for difference in (0.02, 0.05, 0.1)),
    *(Case(patients=2000, positives=200, labels=5, difference=difference) for difference in (0.02, 0.05)),
    *(
        Case(patients=2000, positives=200, labels=5, seeds=seeds, trainings=0.01, difference=difference)
        for seeds in (3, 5)
        for difference in (0.02, 0.05)
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--simulations", type=int, default=1000, help="test splits of each case")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation")


def run(args: argparse.Namespace) -> None:
    """Simulate and print a table."""
    from tqdm import tqdm

    columns = "test", "positives", "labels", "encoders", "seeds", "AUROC", "trainings", "better by"
    print(f"| {' | '.join(columns)} | a label called, % | a macro value called, % |")
    print("|---" * (len(columns) + 2) + "|")
    for case in tqdm(CASES, disable=None):
        label, macro = rates(case, args.simulations, args.seed)
        test = f"{case.patients} patients" + (f" x {case.records}" if case.records > 1 else "")
        test += {"auroc": "", "c_index": ", C-index", "regression": ", MAE R² r"}[case.what]
        cells = (
            test, "-" if case.what == "regression" else case.positives, case.labels, case.encoders, case.seeds,
            case.quality, f"SD {case.trainings}", case.difference or "-", f"{100 * label:.1f}", f"{100 * macro:.1f}",
        )  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def rates(case: Case, simulations: int, seed: int) -> tuple[float, float]:
    """Share of simulated tests in which a label, and in which a macro value, has a verdict.

    Parameters
    ----------
    case : Case
    simulations : int
        Test splits.
    seed : int
    """
    import numpy as np

    from ecglfm.config import EvaluateConfig
    from ecglfm.evaluation.comparison import compare

    called = np.zeros((simulations, 2))
    for number in range(simulations):
        contenders, truth = simulate(case, np.random.default_rng([seed, number]))
        pairs = compare(contenders, _METRICS[case.what], truth, EvaluateConfig())
        called[number] = (
            any(_is_called(e) for pair in pairs for e in pair["labels"].values()),
            any(_is_called(pair["macro"]) for pair in pairs),
        )
    label, macro = called.mean(axis=0).tolist()
    return label, macro


def _is_called(entry: dict[str, Any]) -> bool:
    return entry["verdict"] not in (None, "no evidence", "too few")


def simulate(case: Case, rng: np.random.Generator) -> tuple[list[Any], Any]:
    """Contenders on one simulated test split, and its truth.

    A score is the patient's own difficulty, half of which all encoders share and most of the rest all seeds of an
    encoder, and the truth times a strength that gives the wanted AUROC and differs by training.
    """
    import numpy as np
    from scipy.stats import norm

    from ecglfm.config import EvaluateConfig
    from ecglfm.evaluation.comparison import contender
    from ecglfm.evaluation.metrics import MIN_PATIENTS, truth_of

    shape, rows = (case.patients, case.labels), np.repeat(np.arange(case.patients), case.records)
    quantile = norm.ppf(case.quality)
    steepness = norm.pdf(quantile) / np.sqrt(2)  # AUROC per unit of the strength
    signal, outcome = _patients(case, rng, rows)
    shared = rng.normal(size=shape)
    contenders, truth = [], None
    for encoder in range(case.encoders):
        own, seeds = rng.normal(size=shape), []
        for _ in range(case.seeds):
            noise = np.sqrt(0.5) * shared[rows] + np.sqrt(0.4) * own[rows]
            noise += np.sqrt(0.1) * rng.normal(size=noise.shape)
            better = (case.difference if encoder == 0 else 0.0) + case.trainings * rng.normal()
            seeds.append(outcome(noise + (np.sqrt(2) * quantile + better / steepness) * signal[rows]))
        truth = truth_of(seeds[0], EvaluateConfig().min_patients, in_all=MIN_PATIENTS) if truth is None else truth
        fits = [f"full-s{seed}" for seed in range(case.seeds)]
        contenders.append(contender(f"encoder{encoder}", "full", fits, seeds, _METRICS[case.what], truth))
    return contenders, truth


def _patients(case: Case, rng: np.random.Generator, rows: np.ndarray) -> tuple[np.ndarray, Any]:
    """What a score should follow, shape (patients, labels), and a function from scores of records to predictions."""
    import numpy as np

    from ecglfm.evaluation.metrics import Predictions, RegressionPredictions, SurvivalPredictions

    names = [f"label{label}" for label in range(case.labels)]
    shape, patients = (case.patients, case.labels), rows.astype(str)
    if case.what == "auroc":
        target = rng.permuted((np.arange(case.patients) < case.positives)[:, None].repeat(case.labels, 1), axis=0) * 1.0
        half = np.full((len(rows), case.labels), 0.5)

        def classes(score: np.ndarray) -> Outcome:
            return Predictions(names, target[rows], score, half, patients)

        return target, classes
    signal = rng.normal(size=shape)
    if case.what == "regression":

        def quantities(score: np.ndarray) -> Outcome:
            return RegressionPredictions(names, signal[rows], score / np.sqrt(2), patients)

        return signal, quantities
    time = rng.exponential(np.exp(-signal))
    end = np.quantile(time, case.positives / case.patients, axis=0)

    def survival(score: np.ndarray) -> Outcome:
        times, events = np.minimum(time, end)[rows], (time < end)[rows] * 1.0
        return SurvivalPredictions(names, times, events, score, patients, [None] * case.labels)

    return signal, survival
