"""`benchmark bootstrap`: intervals of 71 labels x 2,200 records against scikit-learn's AUROC, and those of survival.

Subgroups and the comparison of encoders are measured beside the same records taken together, once for each.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ecglfm.benchmark.timing import report, seconds

if TYPE_CHECKING:
    import numpy as np

    from ecglfm.evaluation.metrics import Predictions, SurvivalPredictions


#: Groups of each kind: sex, age band, source, device, signal quality.
_GROUPS = {"sex": 2, "age": 5, "source": 1, "device": 11, "quality": 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--resamples", type=int, default=1000, help="resamples of patients")
    parser.add_argument("--labels", type=int, default=71, help="labels of the multilabel task")
    parser.add_argument("--records", type=int, default=2200, help="test records")
    parser.add_argument("--encoders", type=int, default=8, help="encoders that are compared")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    from ecglfm.evaluation.metrics import Predictions, point_values, summarize

    rng, shape = np.random.default_rng(0), (args.records, args.labels)
    target = (rng.random(shape) < np.geomspace(0.3, 0.003, args.labels)).astype(float)
    target[:2] = [[0], [1]]
    names = [f"label{i}" for i in range(args.labels)]
    patients = rng.integers(round(args.records * 0.86), size=args.records).astype(str)
    data = Predictions(names, target, rng.random(shape), np.full(shape, 0.5), patients)
    settings = {"resamples": args.resamples, "confidence": 0.95, "seed": 0, "min_patients": 5}
    ours = seconds(lambda: summarize(data, **settings))
    once = seconds(lambda: roc_auc_score(target, data.probabilities, average=None))
    report(
        f"nine metrics of {args.labels} labels, macro and micro, {args.resamples} resamples", [ours],
        "AUROC of the labels alone, as often", [once * args.resamples],
    )  # fmt: skip
    grouped = _subgroups(rng, data, args.resamples)
    report(
        f"the same in {sum(_GROUPS.values())} subgroups of {len(_GROUPS)} kinds", [grouped],
        "all records once", [ours],
    )  # fmt: skip
    report(
        f"{args.encoders} encoders against each other", [_comparison(rng, data, args)],
        "all nine metrics of one encoder", [ours],
    )  # fmt: skip
    survival = _survival(rng, args.records)
    ours = seconds(lambda: summarize(survival, **settings))
    once = seconds(lambda: point_values(survival))
    report(
        f"survival of {args.records} records, {args.resamples} resamples", [ours],
        "the same measures one resample at a time", [once * args.resamples],
    )  # fmt: skip


def _subgroups(rng: np.random.Generator, data: Predictions, resamples: int) -> float:
    """Seconds for the subgroups of a test split; the groups of a kind are equally large."""
    import pandas as pd

    from ecglfm.config import EvaluateConfig
    from ecglfm.evaluation.metrics import subgroups

    columns: dict[str, Any] = {"split": "test", "patient_id": data.patients}
    for label, name in enumerate(data.names):
        columns |= {f"target.{name}": data.targets[:, label], f"probability.{name}": data.probabilities[:, label]}
        columns[f"threshold.{name}"] = data.thresholds[:, label]
    table = pd.DataFrame(columns)
    groups = {
        kind: pd.Series(rng.integers(count, size=len(table))).astype(str).add(kind) for kind, count in _GROUPS.items()
    }
    config = EvaluateConfig(bootstrap=resamples)
    return seconds(lambda: subgroups(table, groups, kind="multilabel", names=data.names, config=config))


def _comparison(rng: np.random.Generator, data: Predictions, args: argparse.Namespace) -> float:
    """Seconds for the comparison of encoders, a fit of one seed each."""
    from dataclasses import replace

    from ecglfm.config import EvaluateConfig
    from ecglfm.evaluation.comparison import compare, contender
    from ecglfm.evaluation.metrics import MIN_PATIENTS, truth_of

    config = EvaluateConfig()

    def run() -> None:
        contenders, truth = [], truth_of(data, config.min_patients, in_all=MIN_PATIENTS)
        for encoder in range(args.encoders):
            scores = rng.random(data.targets.shape)
            seeds = [replace(data, probabilities=scores)]
            contenders.append(contender(f"encoder{encoder}", "full", ["full-s0"], seeds, ("auroc",), truth))
        compare(contenders, ("auroc",), truth, config)

    return seconds(run)


def _survival(rng: np.random.Generator, count: int) -> SurvivalPredictions:
    """Patients with a known risk, somewhat less than half of whom are seen to have the event."""
    import numpy as np

    from ecglfm.evaluation.metrics import SurvivalPredictions, make_reference

    risk = rng.normal(0, 0.7, count)
    event, censored = rng.exponential(10 * np.exp(-risk)), rng.uniform(2, 8, count)
    columns = np.minimum(event, censored), (event <= censored).astype(float), risk
    reference = make_reference(*columns, times=[])
    time, seen, log_ratio = (column[:, None] for column in columns)
    return SurvivalPredictions(["death"], time, seen, log_ratio, np.arange(count).astype(str), [reference])
