"""The stage `evaluate_on`: a finished model on records that it was not made for, as it is and adapted to them.

All ways of using it are measured on the same test records; the local ones, by which it is adapted, are none of them.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm import distributed
from ecglfm.config import TrackingSlice, TransportSlice, UserError
from ecglfm.config.difference import changed
from ecglfm.config.kinds import KINDS
from ecglfm.data.samples import check_samples
from ecglfm.evaluation.plots import save_png
from ecglfm.evaluation.prediction import predict_records
from ecglfm.evaluation.report import run_transport_page
from ecglfm.evaluation.transport.acquaintance import acquaintance, home_of
from ecglfm.evaluation.transport.classes import judge_classes
from ecglfm.evaluation.transport.cohort import cohort_records
from ecglfm.evaluation.transport.survival import judge_survival
from ecglfm.models.baseline_hazard import BaselineHazard
from ecglfm.provenance import code_version, read_json, write_json, write_parquet
from ecglfm.records import data_hash
from ecglfm.tracking import standard_tags, start_run

logger = logging.getLogger(__name__)

#: Stands in `predictions.parquet` for the split of the records by which the model is adapted.
LOCAL = "local"


def run_transport(
    slice: TransportSlice,  # noqa: A002
    *,
    task: str,
    labels: Path,
    manifest: Path,
    signals: Path,
    output: Path,
    tracking: TrackingSlice | None = None,
    rule: str | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Measure a finished model on a cohort.

    Writes `predictions.parquet`, `metrics.json`, `calibration.png` and `index.html` into `output`.

    Parameters
    ----------
    slice : TransportSlice
    task : str
        Name of the labels.
    labels, manifest, signals : path
        `labels/{task}.parquet`, `manifest/records.parquet`, folder `preprocess/`, all of the cohort's project.
    output : path
    tracking : TrackingSlice, optional
    rule : str, optional
        Snakemake rule, a tag in MLflow.
    threads : int
        Of torch.

    Returns
    -------
    dict
        The content of `metrics.json`.

    Raises
    ------
    UserError
        The folder holds no model of classes or survival, the labels are none of its, or the signals are not prepared as
        it reads them.
    """
    cohort, table, names, baselines = _predict(slice, labels, manifest, signals, threads)
    folder = Path(slice.model)
    # A file from before there were kinds does not say it.
    info: dict[str, Any] = {"kind": "multilabel"} | dict(read_json(folder / "model.json"))
    home = home_of(folder, info)
    home_metrics = None if home is None else home.metrics()
    if KINDS[info["kind"]].has_classes:
        judged = judge_classes(table, names, info, home_metrics, slice)
    else:
        judged = judge_survival(table, names, baselines, slice)
    write_parquet(output / "predictions.parquet", table.assign(split=np.where(judged.local, LOCAL, "test")))
    metrics: dict[str, Any] = {
        "model": {key: info.get(key) for key in ("task", "fit")}
        | {"encoder": info.get("encoder", {}).get("name", "encoder"), "folder": slice.model, "sha256": slice.sha256},
        "task": task,
        "kind": info["kind"],
        "label_names": names,
        "not_measured": [name for name in info["label_names"] if name not in names],
        "sources": sorted(cohort["source"].unique()),
        "cohort": {"records": len(cohort), "patients": int(cohort["patient_id"].nunique())},
        "home": _home(home_metrics, names),
        **judged.content,
        "acquaintance": acquaintance(cohort, home, info, folder),
        "data_hash": data_hash(cohort),
        "code": code_version(),
    }
    write_json(output / "metrics.json", metrics)
    save_png(judged.figure, output / "calibration.png")
    run_transport_page(output, output / "index.html")
    _warn(metrics["acquaintance"], folder)
    metric, first = next(iter(metrics["ways"][0]["macro"].items()))
    logger.info("%s: %s on %s: macro %s %s", output, folder, ", ".join(metrics["sources"]), metric, first["value"])
    _track(metrics, slice, output, tracking, rule)
    return metrics


def _predict(
    slice: TransportSlice,  # noqa: A002
    labels: Path,
    manifest: Path,
    signals: Path,
    threads: int,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str], list[BaselineHazard | None]]:
    """Records of the cohort, the table of predictions of them, the labels that are known of some, and their hazards."""
    import torch

    from ecglfm.models.bundle import load_model

    torch.set_num_threads(max(1, threads))
    model = load_model(slice.model)
    kind = KINDS[model.kind]
    if not kind.has_classes and kind.time is None:
        raise UserError(
            f"{slice.model}: is of `kind: {model.kind}`; evaluate-on measures labels that are there or not and survival"
        )
    names = list(model.label_names)
    tables = pd.read_parquet(labels), pd.read_parquet(manifest)
    cohort = cohort_records(*tables, names, slice.transport.sources, labels, kind=kind)
    known = [name for name in names if cohort[kind.label_columns(name)[0]].notna().any()]
    if not known:
        raise UserError(f"{labels}: nothing is known of {', '.join(names)}, which the model predicts")
    baselines = dict(zip(names, model.baselines or [None] * len(names), strict=True))
    check_samples(cohort, signals)
    said = predict_records(model.to(distributed.choose_device()), cohort, signals)
    return cohort, said, known, [baselines[name] for name in known]


def _home(metrics: dict[str, Any] | None, names: list[str]) -> dict[str, Any] | None:
    """The model's numbers on its own test split."""
    if metrics is None:
        return None
    found = {name: metrics["labels"][name] for name in names if name in metrics["labels"]}
    return {"n": metrics["n"], "sources": metrics.get("sources", []), "labels": found}


def _warn(found: dict[str, Any], folder: Path) -> None:
    for part in ("finetuning", "pretraining"):
        met = found[part]
        if met["records"] or met["patients"]:
            logger.warning(
                "%s: its %s saw %d of these records and %s of these patients: on them it says nothing about new ones",
                folder, part, met["records"], "an unknown number" if met["patients"] is None else met["patients"],
            )  # fmt: skip
        elif met["patients"] is None:
            what = "records" if met["records"] is None else "patients"
            logger.warning("%s: whether its %s saw these %s is unknown: %s", folder, part, what, met["reason"])


def _track(
    metrics: dict[str, Any],
    slice: TransportSlice,  # noqa: A002
    output: Path,
    tracking: TrackingSlice | None,
    rule: str | None,
) -> None:
    """Copy the numbers to MLflow."""
    model = metrics["model"]
    identity = {key: model[key] for key in ("encoder", "task", "fit") if model[key]}
    tags = standard_tags(stage="transport", **identity, data_hash=metrics["data_hash"], rule=rule)
    about = {"model": model, "cohort": metrics["sources"], "task": metrics["task"]}
    parameters, config = about | {"slice": changed(slice)}, about | slice.model_dump(mode="json", exclude={"model"})
    name = f"{'/'.join(identity.values())} on {metrics['task']}"
    with start_run(tracking, stage="transport", name=name, tags=tags, params=parameters, config=config) as run:
        values: dict[str, Any] = {}
        for way in metrics["ways"]:
            values |= {f"{way['name']}/{metric}_macro": entry["value"] for metric, entry in way["macro"].items()}
            for label, measured in way["labels"].items():
                values |= {f"{way['name']}/{m}/{label}": e["value"] for m, e in measured["metrics"].items()}
        run.log(values, step=0)
        for file in ("metrics.json", "index.html", "calibration.png"):
            run.artifact(output / file)
