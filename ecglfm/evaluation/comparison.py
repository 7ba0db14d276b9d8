"""Encoders against each other on one task, and whether the difference is more than chance.

Two encoders are compared in the same mode (and share of the training patients), on the same test records. Where a
fit was made with several seeds, the mean of their areas is compared: in every resample, and in DeLong's test by its
contrast. What is tested is therefore the chance of the test set, not that of a training.

A label is called better or worse when two tests agree after Benjamini and Hochberg's correction over the labels: a
bootstrap of patients (which knows that a patient's recordings are alike) and DeLong's. Otherwise: no evidence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm

from ecglfm.config import EvaluateConfig, UserError
from ecglfm.evaluation.bootstrap import interval, point_values, resampled_values
from ecglfm.evaluation.classification import Predictions
from ecglfm.evaluation.delong import delong_p
from ecglfm.evaluation.metrics import ranking_metrics
from ecglfm.provenance import read_json, write_json, write_text

VERDICTS = ("better", "worse", "no evidence")
_DIGITS = 12


class Ranking(Predictions):
    """Predictions of which the AUROC alone is measured."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of `values`."""
        return ("auroc",)

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """AUROC of one label under record weights (n, r)."""
        known = ~np.isnan(self.targets[:, label])
        target, score = self.targets[known, label], self.probabilities[known, label]
        return {"auroc": ranking_metrics(target, score, weight_nr[known])["auroc"]}


@dataclass(frozen=True)
class Contender:
    """One encoder in one mode: its fits of every seed, on the test records.

    Attributes
    ----------
    encoder : str
    setting : str
        Name of its fits without the seed: `full`, `linear-10pct`.
    fits : list of str
    seeds : list of Ranking
        What each fit said of the records.
    points : ndarray, shape (labels,)
        AUROC, mean over seeds.
    resampled : ndarray, shape (labels, resamples)
        The same in every resample.
    """

    encoder: str
    setting: str
    fits: list[str]
    seeds: list[Ranking]
    points: np.ndarray
    resampled: np.ndarray


def setting_of(fit: str) -> str:
    """Name of a fit without its seed: `full-s0-10pct` is `full-10pct`."""
    return re.sub(r"-s\d+(?=-|$)", "", fit)


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
    content: dict[str, Any] = {"task": task, "metric": "auroc", "reason": None, "pairs": [], "models": []}
    folders = {key: [evaluations / key[0] / task / fit for fit in fits] for key, fits in groups.items()}
    kind = read_metrics(next(iter(next(iter(folders.values())))))["kind"]
    if kind in {"regression", "survival"}:
        content["reason"] = f"encoders are compared by AUROC, which a task of kind {kind} does not have"
    else:
        tables = {folder: read_test(folder) for own in folders.values() for folder in own}
        check_same(tables)
        contenders = [
            contender(*key, groups[key], [ranking(tables[folder]) for folder in own], config)
            for key, own in folders.items()
        ]
        first = contenders[0].seeds[0]
        content["n"] = {"records": len(first.patients), "patients": len(np.unique(first.patients))}
        content["models"] = [
            {"encoder": each.encoder, "setting": each.setting, "fits": each.fits} for each in contenders
        ]
        content["pairs"] = [
            compare(one, other, config) for one, other in combinations(contenders, 2) if one.setting == other.setting
        ]
        content["bootstrap"] = {"unit": "patient", "resamples": config.bootstrap, "confidence": config.confidence,
                                "seed": config.seed}  # fmt: skip
    write_json(output, content)
    write_text(output.with_suffix(".csv"), comparison_table(content).to_csv(index=False))


def read_metrics(folder: Path) -> dict[str, Any]:
    """`metrics.json` of a model; `UserError` where it is not there."""
    path = folder / "metrics.json"
    if not path.is_file():
        raise UserError(f"{path}: no such file; run `evaluate` of this model first")
    return dict(read_json(path))


def read_test(folder: Path) -> pd.DataFrame:
    """Test records of a model's `predictions.parquet`, by record; the columns in the order of its labels."""
    names = read_metrics(folder)["label_names"]
    columns = [f"{what}.{name}" for what in ("target", "probability") for name in names]
    table = pd.read_parquet(folder / "predictions.parquet", columns=["record_id", "patient_id", "split", *columns])
    return table[table["split"] == "test"].sort_values("record_id", ignore_index=True)


def ranking(table: pd.DataFrame) -> Ranking:
    """What `read_test` read, to be measured."""
    target, probability = table.filter(regex=r"^target\."), table.filter(regex=r"^probability\.")
    names = [column.removeprefix("target.") for column in target.columns]
    patients = table["patient_id"].to_numpy(dtype=str)
    return Ranking(
        names, target.to_numpy(np.float64), probability.to_numpy(np.float64), np.full(len(names), 0.5), patients
    )


def check_same(tables: dict[Path, pd.DataFrame]) -> None:
    """Raise `UserError` where models were tested on other records or labels."""
    (folder, first), *others = (
        (folder, table.filter(regex=r"^record_id$|^patient_id$|^target\.")) for folder, table in tables.items()
    )
    for path, other in others:
        if not first.equals(other):
            raise UserError(
                f"{path}/predictions.parquet: other test records or labels than {folder} has; evaluate both again"
            )


def contender(encoder: str, setting: str, fits: list[str], seeds: list[Ranking], config: EvaluateConfig) -> Contender:
    """An encoder with its areas, mean over the seeds."""
    points = np.mean([point_values(data)[:, 0] for data in seeds], axis=0)
    resampled = np.mean([resampled_values(data, config.bootstrap, config.seed)[:, 0] for data in seeds], axis=0)
    return Contender(encoder, setting, fits, seeds, points, resampled)


def compare(first: Contender, second: Contender, config: EvaluateConfig) -> dict[str, Any]:
    """What the comparison says of two encoders: `first - second` per label and macro."""
    alpha = 1 - config.confidence
    difference, resampled = first.points - second.points, first.resampled - second.resampled
    defined = np.flatnonzero(~np.isnan(difference))
    models = first.seeds + second.seeds
    contrast = np.repeat([1 / len(first.seeds), -1 / len(second.seeds)], [len(first.seeds), len(second.seeds)])
    names = models[0].names
    labels: dict[str, dict[str, Any]] = {
        name: {"value": None, "verdict": None, "reason": models[0].reason("auroc", label)}
        for label, name in enumerate(names)
    }
    strictest = []
    for label in defined:
        known = ~np.isnan(models[0].targets[:, label])
        scores = np.stack([data.probabilities[known, label] for data in models])
        by_patient = bootstrap_p(difference[label], resampled[label])
        by_record = delong_p(models[0].targets[known, label], scores, contrast)
        entry = _difference(first.points[label], second.points[label], resampled[label], config)
        labels[names[label]] = entry | {"p_bootstrap": by_patient, "p_delong": by_record}
        if math.isnan(by_record):
            labels[names[label]] |= {
                "p_delong": None,
                "reason": "DeLong's test is undefined: no variance, or one record of a class",
            }
            by_record = 1.0
        strictest.append(max(by_patient, by_record))
    for label, q in zip(defined, false_discovery_control(strictest) if strictest else [], strict=True):
        entry = labels[names[label]]
        entry |= {"q": float(q), "verdict": verdict(entry["value"], float(q), alpha)}
    return {
        "first": first.encoder,
        "second": second.encoder,
        "setting": first.setting,
        "labels": labels,
        "macro": _macro(first, second, defined, config),
        "counts": {word: sum(entry["verdict"] == word for entry in labels.values()) for word in VERDICTS},
    }


def _macro(first: Contender, second: Contender, defined: np.ndarray, config: EvaluateConfig) -> dict[str, Any]:
    """The difference of the macro values, over the labels that have one."""
    if not len(defined):
        return {"value": None, "verdict": None, "reason": "defined for no label"}
    resampled = np.nanmean((first.resampled - second.resampled)[defined], axis=0)
    means = first.points[defined].mean(), second.points[defined].mean()
    entry = _difference(*means, resampled, config)
    p = bootstrap_p(means[0] - means[1], resampled)
    return entry | {"p_bootstrap": p, "verdict": verdict(entry["value"], p, 1 - config.confidence)}


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
    over 71 labels would never pass.

    Parameters
    ----------
    value : float
        The difference on the records as they are.
    resampled : ndarray, shape (resamples,)
        The difference in resamples of patients.
    """
    if abs(value) < 1e-12:
        return 1.0
    deviation = float(np.nanstd(resampled, ddof=1)) if len(resampled) > 1 else 0.0
    return float(2 * norm.sf(abs(value) / deviation)) if deviation > 1e-12 else 2 / (len(resampled) + 1)


def verdict(value: float, p: float, alpha: float) -> str:
    """`better`, `worse` or `no evidence`."""
    if p >= alpha or value == 0:
        return "no evidence"
    return "better" if value > 0 else "worse"


def comparison_table(content: dict[str, Any]) -> pd.DataFrame:
    """A row per pair and label, the macro value first."""
    columns = ["first_auroc", "second_auroc", "difference", "ci_low", "ci_high", "p_bootstrap", "p_delong", "q",
               "verdict", "reason"]  # fmt: skip
    keys = ["first", "second", "value", *columns[3:]]
    rows = [
        [pair["first"], pair["second"], pair["setting"], label, *(entry.get(key) for key in keys)]
        for pair in content["pairs"]
        for label, entry in [("macro", pair["macro"]), *pair["labels"].items()]
    ]
    return pd.DataFrame(rows, columns=["first", "second", "setting", "label", *columns])
