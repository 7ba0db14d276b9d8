"""Encoders against each other on one task, and whether the difference is more than chance.

Two encoders are compared in the same mode (and share of the training patients), on the same test records: classes by
AUROC, quantities by mean absolute error, R2 and Pearson's correlation, survival by Harrell's C; of several seeds the
mean. Chance is that of the test patients and, where both encoders were fitted with several seeds, that of a training
(`difference`). With one seed a verdict holds for these very fits and says so: `better as trained`.

Verdicts of labels are one family, over every pair and metric of the task, and those of macro values another: after
Holm's correction at most 1 - `evaluate.confidence` of tasks without any difference have a verdict somewhere.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import CardSlice, EvaluateConfig
from ecglfm.config.fits import split_variant
from ecglfm.evaluation.comparison.contenders import (
    Contender,
    check_same,
    contender,
    measurable,
    read_metrics,
    read_test,
    read_tested,
    setting_of,
)
from ecglfm.evaluation.comparison.difference import holm, margin, p_value, patient_spreads, training_spread
from ecglfm.evaluation.exposure import about_encoder
from ecglfm.evaluation.metrics import MIN_PATIENTS, Truth, all_metrics, compared, truth_of
from ecglfm.provenance import write_json, write_text

logger = logging.getLogger(__name__)

#: Behind a verdict on encoders that have one training each: another training might say otherwise.
AS_TRAINED = " as trained"
_DIGITS = 12


def run_compare(
    config: EvaluateConfig, *, evaluations: Path, task: str, models: Sequence[str], output: Path,
    said: CardSlice | None = None,
) -> None:  # fmt: skip
    """Compare the encoders of a task and write `output` (JSON) and a table beside it (CSV).

    Parameters
    ----------
    config : EvaluateConfig
        Confidence, and patients that a label needs.
    evaluations : path
        Folder `evaluate/` of the results.
    task : str
    models : sequence of str
        `encoder/fit`, in the order in which they are shown.
    output : path
        `evaluate/comparison/{task}.json`.
    said : CardSlice, optional
        What the config says of encoders that were made elsewhere.

    Raises
    ------
    UserError
        A model was not evaluated, or on other records or labels than the first.
    """
    groups: dict[tuple[str, str | None, str], list[str]] = {}
    for model in models:
        encoder, _, fit = model.partition("/")
        groups.setdefault((encoder, split_variant(fit)[1], setting_of(fit)), []).append(fit)
    folders = {key: [evaluations / key[0] / task / fit for fit in fits] for key, fits in groups.items()}
    kind = read_metrics(next(iter(next(iter(folders.values())))))["kind"]
    metrics = compared(kind)
    tables = {folder: read_test(folder, kind) for own in folders.values() for folder in own}
    check_same(tables, kind)
    truth = truth_of(measurable(next(iter(tables.values())), kind), config.min_patients, in_all=MIN_PATIENTS)
    contenders = [
        contender(
            encoder, setting, groups[encoder, variant, setting], [measurable(tables[folder], kind) for folder in own],
            metrics, truth, variant=variant,
        )
        for (encoder, variant, setting), own in folders.items()
    ]  # fmt: skip
    pairs = compare(contenders, metrics, truth, config)
    if any(not pair["trainings_tested"] for pair in pairs):
        logger.warning(
            "task %s: the chance of a training is not tested: encoders have one seed; list several in finetune.seeds",
            task,
        )
    tested = read_tested(next(iter(tables)))
    content = {
        "task": task,
        "metrics": list(metrics),
        "n": {"records": len(truth.patient_of), "patients": truth.classes.shape[1]},
        "models": [{"encoder": each.encoder, "setting": each.setting, "fits": each.fits} for each in contenders],
        "encoders": {
            encoder: about_encoder(evaluations.parent, encoder, said or CardSlice(), tested)
            for encoder in dict.fromkeys(each.encoder for each in contenders)
        },
        "pairs": pairs,
        "test": {"unit": "patient", "correction": "Holm", "confidence": config.confidence,
                 "min_patients": config.min_patients,
                 "verdicts": {family: _tests(pairs, family) for family in ("labels", "macro")}},
    }  # fmt: skip
    write_json(output, content)
    write_text(output.with_suffix(".csv"), comparison_table(content).to_csv(index=False))


def compare(
    contenders: Sequence[Contender], metrics: Sequence[str], truth: Truth, config: EvaluateConfig
) -> list[dict[str, Any]]:
    """What may be said of every two contenders of the same setting, by every metric."""
    pairs = [
        differences(one, other, metric, truth, config)
        for one, other in combinations(contenders, 2)
        if one.setting == other.setting
        for metric in metrics
    ]
    for family in (
        [(pair, entry) for pair in pairs for entry in pair["labels"].values()],
        [(pair, pair["macro"]) for pair in pairs],
    ):
        tested = [(pair, entry) for pair, entry in family if "p" in entry]
        adjusted = holm([entry["p"] for _, entry in tested])
        for (pair, entry), p in zip(tested, adjusted.tolist(), strict=True):
            entry["p_holm"] = p
            entry["verdict"] = verdict(pair["metric"], entry["value"], p, config, pair["trainings_tested"])
    for pair in pairs:
        pair["counts"] = dict(Counter(str(entry["verdict"]) for entry in pair["labels"].values() if entry["verdict"]))
    return pairs


def differences(
    first: Contender, second: Contender, metric: str, truth: Truth, config: EvaluateConfig
) -> dict[str, Any]:
    """Differences `first - second` of two contenders by one metric, per label and macro, with p; not yet verdicts."""
    values = first.values[metric], second.values[metric]
    terms_lp = first.terms[metric] - second.terms[metric]
    undefined = [np.isnan(own).any(axis=0) for own in values]
    labels, compared = dict[str, dict[str, Any]](), []
    for label, name in enumerate(truth.names):
        if undefined[0][label] or undefined[1][label]:
            data = (first if undefined[0][label] else second).data
            labels[name] = {"value": None, "verdict": None, "reason": data.reason(metric, label)}
        elif (reason := truth.too_few[label]) is not None:
            labels[name] = _difference(*values, [label]) | {"verdict": "too few", "reason": reason}
        else:
            compared.append(label)
            labels[name] = _tested(*values, terms_lp, [label], truth, config)
    if compared:
        macro = _tested(*values, terms_lp, compared, truth, config)
    else:
        macro = {"value": None, "verdict": None, "reason": "no label has a value and patients enough"}
    return {
        "first": first.name,
        "second": second.name,
        "setting": first.setting,
        "metric": metric,
        "seeds": [len(first.fits), len(second.fits)],
        "trainings_tested": min(len(first.fits), len(second.fits)) > 1,
        "labels": labels,
        "macro": macro | {"labels": len(compared)},
    }


def _difference(first: np.ndarray, second: np.ndarray, labels: list[int]) -> dict[str, Any]:
    """The means of two contenders over seeds and some labels; shapes (seeds, labels)."""
    one, other = float(first[:, labels].mean()), float(second[:, labels].mean())
    value = {"first": round(one, _DIGITS), "second": round(other, _DIGITS), "value": round(one - other, _DIGITS)}
    return value | {"ci_low": None, "ci_high": None}


def _tested(
    first: np.ndarray, second: np.ndarray, terms_lp: np.ndarray, labels: list[int], truth: Truth, config: EvaluateConfig
) -> dict[str, Any]:
    """The difference with its interval and p."""
    entry = _difference(first, second, labels)
    trainings = training_spread([own[:, labels].mean(axis=1) for own in (first, second)])
    spreads = patient_spreads(terms_lp[labels], truth.classes[labels])
    spreads += [] if trainings is None else [trainings]
    p = p_value(entry["value"], spreads)
    if math.isnan(p):
        return entry | {"p": 1.0, "reason": "no patient and no training differs from the others: nothing to test by"}
    half = margin(spreads, config.confidence)
    entry |= {"ci_low": round(entry["value"] - half, _DIGITS), "ci_high": round(entry["value"] + half, _DIGITS)}
    return entry | {"p": float(f"{p:.9g}")}


def verdict(metric: str, value: float, p: float, config: EvaluateConfig, trainings_tested: bool) -> str:
    """`better`, `worse`, either `as trained`, or `no evidence`."""
    if p >= 1 - config.confidence or value == 0:
        return "no evidence"
    word = "better" if (value < 0) == all_metrics()[metric].smaller else "worse"
    return word if trainings_tested else word + AS_TRAINED


def _tests(pairs: list[dict[str, Any]], family: str) -> int:
    """Size of a family of verdicts."""
    if family == "macro":
        return sum("p" in pair["macro"] for pair in pairs)
    return sum("p" in entry for pair in pairs for entry in pair["labels"].values())


def comparison_table(content: dict[str, Any]) -> pd.DataFrame:
    """A row per pair, metric and label, the macro value first; at its end what the encoders saw of the test."""
    columns = ["first_value", "second_value", "difference", "ci_low", "ci_high", "p", "p_holm", "verdict", "reason"]
    keys = ["first", "second", "value", *columns[3:]]
    rows = [
        [*(pair[key] for key in ("first", "second", "setting", "metric")), label, *(entry.get(key) for key in keys),
         *_seen(pair, content["encoders"])]
        for pair in content["pairs"]
        for label, entry in [("macro", pair["macro"]), *pair["labels"].items()]
    ]  # fmt: skip
    seen = ["first_seen", "second_seen", "seen_why"]
    return pd.DataFrame(rows, columns=["first", "second", "setting", "metric", "label", *columns, *seen])


def _seen(pair: dict[str, Any], encoders: dict[str, Any]) -> list[str]:
    """Whether the encoders of a pair saw what is tested, and why that is said of each."""
    own = {name: encoders[name] for name in (pair[which].split(" ")[0] for which in ("first", "second"))}
    words = [encoders[pair[which].split(" ")[0]]["seen"] for which in ("first", "second")]
    return [*words, "; ".join(f"{name}: {about['why']}" for name, about in own.items())]
