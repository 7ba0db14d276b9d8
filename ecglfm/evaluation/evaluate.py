"""The stage `evaluate`: a fine-tuned model on the locked test split, or the models of all folds on theirs.

Temperatures and thresholds come with the model, which chose them on the validation split; what survival is judged by is
taken from it here. Nothing is fitted to test.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import EvaluateConfig, EvaluateSlice, TrackingSlice
from ecglfm.config.kinds import KINDS
from ecglfm.data.labels import read_left_out
from ecglfm.data.samples import check_samples
from ecglfm.evaluation.cross_validation import read_models, training_records
from ecglfm.evaluation.metrics import (
    Outcome,
    external_cohorts,
    group_names,
    how_resampled,
    majority,
    read_outcome,
    set_metrics,
    subgroups,
    summarize,
)
from ecglfm.evaluation.plots import figures, save_png
from ecglfm.evaluation.tracked import track
from ecglfm.provenance import code_version, write_json, write_parquet
from ecglfm.records import data_hash

logger = logging.getLogger(__name__)


def run_evaluate(
    slice: EvaluateSlice,  # noqa: A002
    *,
    model: Path | Sequence[Path],
    labels: Path,
    manifest: Path,
    signals: Path,
    output: Path,
    index: Sequence[Path] = (),
    tracking: TrackingSlice | None = None,
    rule: str | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Predict the validation and test records of a task and measure the test split, external cohorts by themselves.

    Writes `predictions.parquet`, `metrics.json`, `curves.png` and `calibration.png` into `output`.

    Parameters
    ----------
    slice : EvaluateSlice
    model : path or sequence of path
        Folder that `finetune` wrote; those of every fold, where the task is cross-validated.
    labels : path
        `labels/{task}.parquet`.
    manifest : path
        `manifest/records.parquet`.
    signals : path
        Folder `preprocess/`.
    output : path
        Folder to write into.
    index : sequence of path
        `index/{source}.parquet` of the task's sources, for the devices.
    tracking : TrackingSlice, optional
        Where MLflow is; None: nowhere.
    rule : str, optional
        Name of the Snakemake rule, a tag.
    threads : int
        Of torch.

    Returns
    -------
    dict
        The content of `metrics.json`.

    Raises
    ------
    UserError
        The labels do not hold what the model predicts, the test split is empty, samples are not those of the
        manifest, or the models are not those of the folds.
    """
    import torch

    torch.set_num_threads(max(1, threads))
    models = read_models([model] if isinstance(model, Path) else model)
    identity, names, kind = models.identity, models.names, models.kind
    all_records, records = models.read_records(labels, manifest, slice.tested_only)
    check_samples(records, signals)
    predictions = models.predict(records, signals)
    write_parquet(output / "predictions.parquet", predictions)
    about = records.set_index("record_id", drop=False).loc[predictions["record_id"]].reset_index(drop=True)

    test, fitted = read_outcome(predictions, kind, names, slice.evaluate)
    metrics = identity | measure(test, slice.evaluate) | fitted
    metrics |= models.describe(predictions, test, metrics["macro"])
    if (promise := models.coverage) is not None:
        metrics["conformal"] = set_metrics(predictions, names, promise, slice.evaluate.confidence)
    metrics["sources"] = sorted(about.loc[predictions["split"] == "test", "source"].unique())
    metrics["majority"] = majority_of(labels, kind, names, metrics["macro"], metrics["sources"])
    metrics["external"] = _external(predictions, about["source"], kind, names, labels, slice.evaluate)
    metrics["subgroups"] = subgroups(
        predictions, group_names(about, index), kind=kind, names=names, config=slice.evaluate
    )
    metrics["left_out"] = read_left_out(labels)
    metrics |= {"kind": kind, "data_hash": data_hash(all_records), "code": code_version()}
    write_json(output / "metrics.json", metrics)
    for name, figure in figures(kind, test, metrics).items():
        save_png(figure, output / f"{name}.png")
    first = next(iter(metrics["macro"]))
    logger.info("%s: test macro %s %s", "/".join(identity.values()), first, metrics["macro"][first]["value"])
    track(metrics, models, slice.evaluate, output, tracking=tracking, rule=rule)
    return metrics


def _external(
    predictions: pd.DataFrame, sources: pd.Series, kind: str, names: list[str], labels: Path, config: EvaluateConfig
) -> dict[str, Any]:
    """What `metrics.json` says of each source that is only tested, with its own constant answer."""
    found = {}
    for source, table in external_cohorts(predictions, sources).items():
        cohort, _ = read_outcome(table, kind, names, config)
        measured = measure(cohort, config)
        constant = majority_of(labels, kind, names, measured["macro"], [source])
        found[source] = measured | {"majority": constant}
    return found


def majority_of(
    labels: Path, kind: str, names: list[str], macro: dict[str, Any], sources: Sequence[str]
) -> dict[str, Any]:
    """Metrics on the test records of some sources of the answer that never looks at a recording.

    Macro values are over the labels of `macro`. Of a cross-validation what it says is learnt from the training records
    of all models together.
    """
    columns = [column for name in names for column in KINDS[kind].label_columns(name)]
    there = [name for name in ("fold", *columns) if name in pq.read_schema(labels).names]
    truth = pd.read_parquet(labels, columns=["split", "source", *there])
    on_test = (truth["split"] == "test") & truth["source"].isin(list(sources))
    train, test = (table[columns].to_numpy(np.float64) for table in (training_records(truth), truth[on_test]))
    return majority(kind, names, train, test, over={metric: entry["labels"] for metric, entry in macro.items()})


def measure(test: Outcome, config: EvaluateConfig) -> dict[str, Any]:
    """Metrics with intervals and what they stand on: counts, thresholds, how intervals were made."""
    summary = summarize(
        test,
        resamples=config.bootstrap,
        confidence=config.confidence,
        seed=config.seed,
        min_patients=config.min_patients,
    )
    described = test.describe()
    counts = {"records": len(test.patients), "patients": len(np.unique(test.patients))}
    return (
        summary
        | described
        | {
            "split": "test",
            "label_names": test.names,
            "n": counts | described["n"],
            "bootstrap": how_resampled(config),
        }
    )
