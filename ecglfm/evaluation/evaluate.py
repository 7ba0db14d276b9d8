"""The stage `evaluate`: a fine-tuned model on the locked test split.

Thresholds come with the model, which chose them on the validation split; temperatures and what survival is judged by
are taken from it here. Nothing is fitted to test.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecglfm import distributed
from ecglfm.config import EvaluateConfig, EvaluateSlice, TrackingSlice, UserError
from ecglfm.config.kinds import KINDS
from ecglfm.data.labels import read_left_out
from ecglfm.data.samples import check_samples
from ecglfm.evaluation.metrics import (
    Outcome,
    Predictions,
    cohort_splits,
    external_cohorts,
    group_names,
    majority,
    read_outcome,
    subgroups,
    summarize,
)
from ecglfm.evaluation.plots import figures, save_png
from ecglfm.provenance import code_version, read_json, write_json, write_parquet
from ecglfm.records import data_hash, require_columns
from ecglfm.tracking import standard_tags, start_run

if TYPE_CHECKING:
    from ecglfm.models.heads import ECGModel

logger = logging.getLogger(__name__)


def run_evaluate(
    slice: EvaluateSlice,  # noqa: A002
    *,
    model: Path,
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
    model : path
        Folder that `finetune` wrote.
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
        The labels do not hold what the model predicts, the test split is empty, or samples are not those of the
        manifest.
    """
    import torch

    from ecglfm.models.bundle import load_model

    torch.set_num_threads(max(1, threads))
    network = load_model(model).to(distributed.choose_device())
    info = read_json(_folder(model) / "model.json")
    identity = {"encoder": info["encoder"]["name"], "task": info["task"], "fit": info.get("fit", _folder(model).name)}
    all_records = pd.read_parquet(manifest)
    names, kind = list(network.label_names), network.kind
    records = labelled_records(pd.read_parquet(labels), all_records, names, labels, kind)
    check_samples(records, signals)
    predictions = predict_records(network, records, signals)
    predictions["split"] = cohort_splits(records, slice.tested_only)
    write_parquet(output / "predictions.parquet", predictions)

    test, fitted = read_outcome(predictions, kind, names, slice.evaluate)
    metrics = identity | measure(test, slice.evaluate) | fitted
    metrics["sources"] = sorted(records.loc[predictions["split"] == "test", "source"].unique())
    metrics["majority"] = majority_of(labels, kind, names, metrics["macro"], metrics["sources"])
    metrics["external"] = _external(predictions, records["source"], kind, names, labels, slice.evaluate)
    metrics["subgroups"] = subgroups(
        predictions, group_names(records, index), kind=kind, names=names, config=slice.evaluate
    )
    metrics["left_out"] = read_left_out(labels)
    if chosen := info.get("training", {}).get("thresholds"):
        metrics["threshold_choices"] = chosen  # on valid, by `finetune`
    metrics |= {"kind": kind, "data_hash": data_hash(all_records), "code": code_version()}
    write_json(output / "metrics.json", metrics)
    for name, figure in figures(kind, test, metrics).items():
        save_png(figure, output / f"{name}.png")
    first = next(iter(metrics["macro"]))
    logger.info("%s: test macro %s %s", "/".join(identity.values()), first, metrics["macro"][first]["value"])
    _track(metrics, identity, slice.evaluate, output, tracking, rule)
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


def _folder(model: Path) -> Path:
    return model if model.is_dir() else model.parent


def labelled_records(
    labels: pd.DataFrame, records: pd.DataFrame, names: list[str], where: Path, kind: str = "multilabel"
) -> pd.DataFrame:
    """Validation and test records of a task: their rows of the manifest and their labels, by record.

    Raises
    ------
    UserError
        A label that the model predicts is missing, the labels are of another manifest, or no record is in
        the test split.
    """
    columns = [column for name in names for column in KINDS[kind].label_columns(name)]
    require_columns(labels, ["record_id", "split"], str(where))
    absent = [column.partition(".")[2] for column in columns if column not in labels]
    if absent:
        raise UserError(
            f"{where}: has no label {absent[0]!r}, which the model predicts: the model is older than the labels, or of"
            " another task; run `ecglfm finetune` again (or `ecglfm labels`, where this table is the older one)"
        )
    prefix = columns[0].partition(".")[0] + "."
    others = set(map(str, labels.columns)) - set(columns)
    new = sorted(column.removeprefix(prefix) for column in others if column.startswith(prefix))
    if new:
        logger.warning(
            "%s: label %s is unknown to the model, which is older: it is not evaluated; run `ecglfm finetune` again",
            where, ", ".join(new),
        )  # fmt: skip
    wanted = labels.loc[labels["split"].isin(["valid", "test"]), ["record_id", "split", *columns]]
    joined = records.merge(wanted, on=["record_id", "split"], validate="one_to_one")
    joined = joined.sort_values("record_id", ignore_index=True)
    if len(joined) != len(wanted):  # a record that has changed its split since could have been trained on
        count = len(wanted) - len(joined)
        raise UserError(f"{where}: {count} of its records have another split in the manifest; run labels again")
    if not (joined["split"] == "test").any():
        raise UserError(
            f"{where}: no record of the task is in the test split; raise `manifest.test_fraction` or name test folds"
        )
    return joined


def predict_records(model: ECGModel, records: pd.DataFrame, signals: Path) -> pd.DataFrame:
    """Table of `predictions.parquet` for these records (rows of the manifest with the columns of their labels).

    Raises
    ------
    UserError
        The signals are not prepared as the model reads them.
    ValueError
        An output is not finite: the model or its input is broken.
    """
    from ecglfm.data.samples import Signals, check_reads
    from ecglfm.training.inference import predict

    encoder, store = model.encoder, Signals(records, signals)
    check_reads(
        records, store, reader="the model", sampling_rate=encoder.sampling_rate, leads=encoder.leads,
        anew="the stages `pretrain` and `finetune`",
    )  # fmt: skip
    outputs = predict(model, store, store.windows(encoder.crop_samples))
    if outputs.shape != (len(records), len(model.label_names)) or not np.isfinite(outputs).all():
        raise ValueError(f"predictions of shape {outputs.shape} for {len(records)} records are missing or not finite")
    table, kind = records[["record_id", "patient_id", "split"]].copy(), KINDS[model.kind]
    for column, name in enumerate(model.label_names):
        for truth, label in zip(kind.truth_columns(name), kind.label_columns(name), strict=True):
            table[truth] = records[label].astype(np.float32)
        table[kind.output_column(name)] = outputs[:, column].astype(np.float32)
    thresholds = zip(kind.threshold_columns(model.label_names), model.thresholds, strict=True)
    return table.assign(**{name: float(threshold) for name, threshold in thresholds})


def majority_of(
    labels: Path, kind: str, names: list[str], macro: dict[str, Any], sources: Sequence[str]
) -> dict[str, Any]:
    """Metrics on the test records of some sources of the answer that never looks at a recording.

    Macro values are over the labels of `macro`.
    """
    columns = [column for name in names for column in KINDS[kind].label_columns(name)]
    truth = pd.read_parquet(labels, columns=["split", "source", *columns])
    on_test = (truth["split"] == "test") & truth["source"].isin(list(sources))
    train, test = (truth.loc[rows, columns].to_numpy(np.float64) for rows in (truth["split"] == "train", on_test))
    return majority(kind, names, train, test, over={metric: entry["labels"] for metric, entry in macro.items()})


def predictions_on_test(table: pd.DataFrame, names: list[str]) -> Predictions:
    """The test split of a table of predictions of classes."""
    test = table[table["split"] == "test"]
    return Predictions(
        names,
        test[[f"target.{name}" for name in names]].to_numpy(dtype=np.float64),
        test[[f"probability.{name}" for name in names]].to_numpy(dtype=np.float64),
        test[[f"threshold.{name}" for name in names]].to_numpy(dtype=np.float64),
        test["patient_id"].to_numpy(dtype=str),
    )


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
    return summary | described | {
        "split": "test",
        "label_names": test.names,
        "n": counts | described["n"],
        "bootstrap": {"unit": "patient", "resamples": config.bootstrap, "confidence": config.confidence,
                      "seed": config.seed, "min_patients": config.min_patients},
    }  # fmt: skip


def _track(
    metrics: dict[str, Any],
    identity: dict[str, str],
    config: EvaluateConfig,
    output: Path,
    tracking: TrackingSlice | None,
    rule: str | None,
) -> None:
    """Copy the numbers to MLflow."""
    tags = standard_tags(stage="evaluate", **identity, data_hash=metrics["data_hash"], rule=rule)
    parameters = {**identity, "evaluate": config.model_dump()}
    name = "/".join(identity.values())
    with start_run(tracking, stage="evaluate", name=name, tags=tags, params=parameters) as run:
        values: dict[str, Any] = {}
        for section in ("macro", "micro", "overall"):
            for metric, entry in metrics.get(section, {}).items():
                values[f"test.{section}.{metric}"] = entry["value"]
        first = next(iter(metrics["macro"]))
        for part in ("ci_low", "ci_high"):
            values[f"test.macro.{first}.{part}"] = metrics["macro"][first][part]
        for source, measured in metrics["external"].items():
            values |= {f"external.{source}.macro.{name}": entry["value"] for name, entry in measured["macro"].items()}
        for label, entries in metrics["labels"].items():
            values |= {f"test.{label}.{metric}": entry["value"] for metric, entry in entries.items()}
        run.log(values, step=0)
        for file in ("metrics.json", "curves.png", "calibration.png"):
            run.artifact(output / file)
