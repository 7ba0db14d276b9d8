"""`benchmark bootstrap`: intervals of 71 labels x 2,200 records against scikit-learn's AUROC, and those of survival."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecglfm.cli.benchmark.timing import report, seconds

if TYPE_CHECKING:
    import numpy as np

    from ecglfm.evaluation.survival import SurvivalPredictions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--resamples", type=int, default=1000, help="resamples of patients")
    parser.add_argument("--labels", type=int, default=71, help="labels of the multilabel task")
    parser.add_argument("--records", type=int, default=2200, help="test records")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    from ecglfm.evaluation.bootstrap import Predictions, point_values, summarize

    rng, shape = np.random.default_rng(0), (args.records, args.labels)
    target = (rng.random(shape) < np.geomspace(0.3, 0.003, args.labels)).astype(float)
    target[:2] = [[0], [1]]
    names = [f"label{i}" for i in range(args.labels)]
    patients = rng.integers(round(args.records * 0.86), size=args.records).astype(str)
    data = Predictions(names, target, rng.random(shape), np.full(args.labels, 0.5), patients)
    settings = {"resamples": args.resamples, "confidence": 0.95, "seed": 0}
    ours = seconds(lambda: summarize(data, **settings))
    once = seconds(lambda: roc_auc_score(target, data.probabilities, average=None))
    report(
        f"nine metrics of {args.labels} labels, macro and micro, {args.resamples} resamples", [ours],
        "AUROC of the labels alone, as often", [once * args.resamples],
    )  # fmt: skip
    survival = _survival(rng, args.records)
    ours = seconds(lambda: summarize(survival, **settings))
    once = seconds(lambda: point_values(survival))
    report(
        f"survival of {args.records} records, {args.resamples} resamples", [ours],
        "the same measures one resample at a time", [once * args.resamples],
    )  # fmt: skip


def _survival(rng: np.random.Generator, count: int) -> SurvivalPredictions:
    """Patients with a known risk, somewhat less than half of whom are seen to have the event."""
    import numpy as np

    from ecglfm.evaluation.survival import SurvivalPredictions, make_reference

    risk = rng.normal(0, 0.7, count)
    event, censored = rng.exponential(10 * np.exp(-risk)), rng.uniform(2, 8, count)
    columns = np.minimum(event, censored), (event <= censored).astype(float), risk
    reference = make_reference(*columns, times=[])
    time, seen, log_ratio = (column[:, None] for column in columns)
    return SurvivalPredictions(["death"], time, seen, log_ratio, np.arange(count).astype(str), [reference])
