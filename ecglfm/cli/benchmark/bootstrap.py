"""`benchmark bootstrap`: intervals of 71 labels x 2,200 records, against scikit-learn's AUROC."""

from __future__ import annotations

import argparse

from ecglfm.cli.benchmark.timing import report, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--resamples", type=int, default=1000, help="resamples of patients")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    from ecglfm.evaluation.bootstrap import Predictions, summarize

    rng = np.random.default_rng(0)
    target = (rng.random((2200, 71)) < np.geomspace(0.3, 0.003, 71)).astype(float)
    names, patients = [f"label{i}" for i in range(71)], rng.integers(1900, size=2200).astype(str)
    data = Predictions(names, target, rng.random((2200, 71)), np.full(71, 0.5), patients)
    ours = seconds(lambda: summarize(data, resamples=args.resamples, confidence=0.95, seed=0))
    once = seconds(lambda: roc_auc_score(target, data.probabilities, average=None))
    report(f"eight metrics, {args.resamples} resamples", [ours], "AUROC alone, as often", [once * args.resamples])
