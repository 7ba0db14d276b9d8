"""Encoders against each other on one task, and whether the difference is more than chance.

Two encoders are compared in the same mode (and share of the training patients), on the same test records. Where a
fit was made with several seeds, the mean of their metrics is compared: in every resample, and in DeLong's test by its
contrast. What is tested is therefore the chance of the test set, not that of a training.

Classes are compared by AUROC, quantities by mean absolute error, R2 and Pearson's correlation, survival by Harrell's C.
A label is called better or worse where a bootstrap of patients (which knows that a patient's recordings are alike)
says so after Benjamini and Hochberg's correction over the labels, and of AUROC where DeLong's test does as well.
Otherwise, and with fewer than `MIN_PATIENTS` test patients: no evidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.bootstrap import interval, mean_defined
from ecglfm.evaluation.contenders import (
    Contender,
    check_same,
    compared,
    contender,
    known_patients,
    measurable,
    read_metrics,
    read_test,
    setting_of,
)
from ecglfm.evaluation.delong import delong_p
from ecglfm.evaluation.subgroups import MIN_PATIENTS
from ecglfm.provenance import write_json, write_text

VERDICTS = ("better", "worse", "no evidence")
#: Metrics of which the smaller value is the better one.
SMALLER = ("mae",)
_DIGITS = 12


def run_compare(config: EvaluateConfig, *, evaluations: Path, task: str, models: Sequence[str], output: Path) -> None:
    """Compare the encoders of a task and write `output` (JSON) and a table beside it (CSV).

    Parameters
    ----------
    config : EvaluateConfig
        Resamples, confidence and seed.
    evaluations : path
        Folder `evaluate/` of the results.
    task : str
    models : sequence of str
        `encoder/fit`, in the order in which they are shown.
    output : path
        `evaluate/comparison/{task}.json`.

    Raises
    ------
    UserError
        A model was not evaluated, or on other records or labels than the first.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for model in models:
        encoder, _, fit = model.partition("/")
        groups.setdefault((encoder, setting_of(fit)), []).append(fit)
    folders = {key: [evaluations / key[0] / task / fit for fit in fits] for key, fits in groups.items()}
    kind = read_metrics(next(iter(next(iter(folders.values())))))["kind"]
    metrics = compared(kind)
    tables = {folder: read_test(folder, kind) for own in folders.values() for folder in own}
    check_same(tables)
    contenders = [
        contender(*key, groups[key], [measurable(tables[folder], kind) for folder in own], metrics, config)
        for key, own in folders.items()
    ]
    patients = next(iter(tables.values()))["patient_id"]
    pairs = [(one, other) for one, other in combinations(contenders, 2) if one.setting == other.setting]
    content = {
        "task": task,
        "metrics": list(metrics),
        "n": {"records": len(patients), "patients": patients.nunique()},
        "models": [{"encoder": each.encoder, "setting": each.setting, "fits": each.fits} for each in contenders],
        "pairs": [compare(*pair, metric, config) for pair in pairs for metric in metrics],
        "bootstrap": {"unit": "patient", "resamples": config.bootstrap, "confidence": config.confidence,
                      "seed": config.seed},
    }  # fmt: skip
    write_json(output, content)
    write_text(output.with_suffix(".csv"), comparison_table(content).to_csv(index=False))


def compare(first: Contender, second: Contender, metric: str, config: EvaluateConfig) -> dict[str, Any]:
    """What the comparison says of two encoders by one metric: `first - second` per label and macro."""
    one, other = first.points[metric], second.points[metric]
    difference, resampled = one - other, first.resampled[metric] - second.resampled[metric]
    names, labels = first.seeds[0].names, dict[str, dict[str, Any]]()
    strictest = []
    for label, name in enumerate(names):
        if np.isnan(difference[label]):
            undefined = (first if np.isnan(one[label]) else second).seeds[0]
            labels[name] = {"value": None, "verdict": None, "reason": undefined.reason(metric, label)}
            continue
        p = bootstrap_p(difference[label], resampled[label])
        entry = _difference(one[label], other[label], resampled[label], config) | {"p_bootstrap": p}
        if metric == "auroc":
            by_record = _delong(first, second, label)
            entry["p_delong"] = None if math.isnan(by_record) else by_record
            if math.isnan(by_record):
                entry["reason"] = "DeLong's test is undefined: no variance, or one record of a class"
            p = max(p, 1.0 if math.isnan(by_record) else by_record)
        if known_patients(first.seeds[0], label) < MIN_PATIENTS:
            p, entry["reason"] = 1.0, f"fewer than {MIN_PATIENTS} test patients: too few for a verdict"
        labels[name] = entry
        strictest.append(p)
    defined = np.flatnonzero(~np.isnan(difference))
    patients = max((known_patients(first.seeds[0], label) for label in defined.tolist()), default=0)
    for label, q in zip(defined.tolist(), false_discovery_control(strictest) if strictest else [], strict=True):
        entry = labels[names[label]]
        entry |= {"q": float(q), "verdict": verdict(metric, entry["value"], float(q), config)}
    return {
        "first": first.encoder,
        "second": second.encoder,
        "setting": first.setting,
        "metric": metric,
        "labels": labels,
        "macro": _macro(one[defined], other[defined], resampled[defined], metric, config, patients),
        "counts": {word: sum(entry["verdict"] == word for entry in labels.values()) for word in VERDICTS},
    }


def _delong(first: Contender, second: Contender, label: int) -> float:
    """DeLong's p of the difference of the mean areas over the seeds."""
    models = first.seeds + second.seeds
    contrast = np.repeat([1 / len(first.seeds), -1 / len(second.seeds)], [len(first.seeds), len(second.seeds)])
    known = ~np.isnan(models[0].targets[:, label])
    scores = np.stack([data.probabilities[known, label] for data in models])
    return delong_p(models[0].targets[known, label], scores, contrast)


def _macro(
    one: np.ndarray, other: np.ndarray, resampled: np.ndarray, metric: str, config: EvaluateConfig, patients: int
) -> dict[str, Any]:
    """The difference of the macro values, over the labels that have one; shapes (labels,), (labels, resamples)."""
    if not len(one):
        return {"value": None, "verdict": None, "reason": "defined for no label"}
    resampled = mean_defined(resampled)
    entry = _difference(one.mean(), other.mean(), resampled, config)
    p = bootstrap_p(one.mean() - other.mean(), resampled)
    if patients < MIN_PATIENTS:
        p, entry["reason"] = 1.0, f"fewer than {MIN_PATIENTS} test patients: too few for a verdict"
    return entry | {"p_bootstrap": p, "verdict": verdict(metric, entry["value"], p, config)}


def _difference(first: float, second: float, resampled: np.ndarray, config: EvaluateConfig) -> dict[str, Any]:
    low, high = interval(resampled, config.confidence)
    return {
        "first": round(float(first), _DIGITS),
        "second": round(float(second), _DIGITS),
        "value": round(float(first - second), _DIGITS),
        "ci_low": None if low is None else round(low, _DIGITS),
        "ci_high": None if high is None else round(high, _DIGITS),
    }


def bootstrap_p(value: float, resampled: np.ndarray) -> float:
    """Two-sided p of a difference by the normal distribution with the resamples' deviation.

    The share of resamples on the other side of zero could not become smaller than 1 / resamples, which a correction
    over 71 labels would never pass. Resamples that are all alike are no evidence: 1.

    Parameters
    ----------
    value : float
        The difference on the records as they are.
    resampled : ndarray, shape (resamples,)
        The difference in resamples of patients; NaN where undefined.
    """
    if abs(value) < 1e-12:
        return 1.0
    deviation = float(np.nanstd(resampled, ddof=1)) if (~np.isnan(resampled)).sum() > 1 else 0.0
    return float(2 * norm.sf(abs(value) / deviation)) if deviation > 1e-12 else 1.0


def verdict(metric: str, value: float, p: float, config: EvaluateConfig) -> str:
    """`better`, `worse` or `no evidence`."""
    if p >= 1 - config.confidence or value == 0:
        return "no evidence"
    return "better" if (value < 0) == (metric in SMALLER) else "worse"


def comparison_table(content: dict[str, Any]) -> pd.DataFrame:
    """A row per pair, metric and label, the macro value first."""
    columns = ["first_value", "second_value", "difference", "ci_low", "ci_high", "p_bootstrap", "p_delong", "q",
               "verdict", "reason"]  # fmt: skip
    keys = ["first", "second", "value", *columns[3:]]
    rows = [
        [*(pair[key] for key in ("first", "second", "setting", "metric")), label, *(entry.get(key) for key in keys)]
        for pair in content["pairs"]
        for label, entry in [("macro", pair["macro"]), *pair["labels"].items()]
    ]
    return pd.DataFrame(rows, columns=["first", "second", "setting", "metric", "label", *columns])
