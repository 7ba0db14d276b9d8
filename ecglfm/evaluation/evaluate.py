"""The stage `evaluate`: a fine-tuned model on the locked test split.

Thresholds come with the model, which chose them on the validation split; nothing here is fitted to test.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig, EvaluateSlice, TrackingSlice, UserError
from ecglfm.evaluation.bootstrap import Predictions, summarize
from ecglfm.evaluation.metrics import METRICS
from ecglfm.evaluation.plots import calibration_figure, roc_figure, save_png
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
    tracking: TrackingSlice | None = None,
    rule: str | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Predict the validation and test records of a task and measure the test split.

    Writes `predictions.parquet`, `metrics.json`, `roc.png` and `calibration.png` into `output`.

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
        The labels do not hold what the model predicts, or the test split is empty.
    """
    import torch

    from ecglfm.models.bundle import load_model

    torch.set_num_threads(max(1, threads))
    network = load_model(model)
    info = read_json(_folder(model) / "model.json")
    identity = {"encoder": info["encoder"]["name"], "task": info["task"], "fit": info.get("fit", _folder(model).name)}
    all_records = pd.read_parquet(manifest)
    records = labelled_records(pd.read_parquet(labels), all_records, list(network.label_names), labels)
    predictions = predict_records(network, records, signals)
    write_parquet(output / "predictions.parquet", predictions)

    names, thresholds = list(network.label_names), [float(value) for value in network.thresholds]
    test = predictions_on_test(predictions, names, thresholds)
    metrics = identity | measure(test, slice.evaluate)
    metrics |= {"kind": info["kind"], "data_hash": data_hash(all_records), "code": code_version()}
    write_json(output / "metrics.json", metrics)
    for name, draw in (("roc", roc_figure), ("calibration", calibration_figure)):
        save_png(draw(test, metrics), output / f"{name}.png")
    logger.info("%s: test macro AUROC %s", "/".join(identity.values()), metrics["macro"]["auroc"]["value"])
    _track(metrics, identity, slice.evaluate, output, tracking, rule)
    return metrics


def _folder(model: Path) -> Path:
    return model if model.is_dir() else model.parent


def labelled_records(labels: pd.DataFrame, records: pd.DataFrame, names: list[str], where: Path) -> pd.DataFrame:
    """Validation and test records of a task: their rows of the manifest and their labels, by record.

    Raises
    ------
    UserError
        A label that the model predicts is missing, the labels are of another manifest, or no record is in
        the test split.
    """
    columns = [f"label.{name}" for name in names]
    require_columns(labels, ["record_id", "split", *columns], str(where))
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
    """Table of `predictions.parquet` for these records (rows of the manifest with `label.{name}` columns).

    Raises
    ------
    UserError
        The signals are not prepared as the model reads them.
    ValueError
        A probability is not finite: the model or its input is broken.
    """
    from ecglfm.data.dataset import Signals
    from ecglfm.training.inference import predict

    encoder = model.encoder
    rates = sorted({int(rate) for rate in records["sampling_rate"]})
    if rates != [int(encoder.sampling_rate)]:
        raise UserError(
            f"the model reads {encoder.sampling_rate} Hz, but {signals} holds {rates} Hz: fine-tune it again"
        )
    store = Signals(records, signals)
    probability = predict(model, store, store.windows(encoder.crop_samples))
    if probability.shape != (len(records), len(model.label_names)) or not np.isfinite(probability).all():
        raise ValueError(
            f"predictions of shape {probability.shape} for {len(records)} records are missing or not finite"
        )
    table = records[["record_id", "patient_id", "split"]].copy()
    for column, name in enumerate(model.label_names):
        table[f"target.{name}"] = records[f"label.{name}"].astype(np.float32)
        table[f"probability.{name}"] = probability[:, column].astype(np.float32)
    return table


def predictions_on_test(table: pd.DataFrame, names: list[str], thresholds: list[float]) -> Predictions:
    """The test split of a table of predictions."""
    test = table[table["split"] == "test"]
    return Predictions(
        names,
        test[[f"target.{name}" for name in names]].to_numpy(dtype=np.float64),
        test[[f"probability.{name}" for name in names]].to_numpy(dtype=np.float64),
        np.asarray(thresholds, dtype=np.float64),
        test["patient_id"].to_numpy(dtype=str),
    )


def measure(test: Predictions, config: EvaluateConfig) -> dict[str, Any]:
    """Metrics with intervals and what they stand on: counts, thresholds, how intervals were made."""
    summary = summarize(test, resamples=config.bootstrap, confidence=config.confidence, seed=config.seed)
    return summary | {
        "split": "test",
        "label_names": test.names,
        "n": {
            "records": len(test.targets),
            "patients": len(np.unique(test.patients)),
            "positives": {name: int(np.nansum(test.targets[:, i])) for i, name in enumerate(test.names)},
            "known": {name: int((~np.isnan(test.targets[:, i])).sum()) for i, name in enumerate(test.names)},
        },
        "thresholds": {name: float(value) for name, value in zip(test.names, test.thresholds, strict=True)},
        "bootstrap": {"unit": "patient", "resamples": config.bootstrap, "confidence": config.confidence,
                      "seed": config.seed},
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
        values = {f"test.macro.{metric}": metrics["macro"][metric]["value"] for metric in METRICS}
        for part in ("ci_low", "ci_high"):
            values[f"test.macro.auroc.{part}"] = metrics["macro"]["auroc"][part]
        for label, entries in metrics["labels"].items():
            values |= {f"test.{label}.{metric}": entries[metric]["value"] for metric in METRICS}
        run.log(values, step=0)
        for file in ("metrics.json", "roc.png", "calibration.png"):
            run.artifact(output / file)
