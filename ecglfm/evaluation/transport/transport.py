"""The stage `evaluate_on`: a finished model on records that it was not made for, as it is and adapted to them.

All ways of using it are measured on the same test records; the local ones, by which it is adapted, are none of them.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm import distributed
from ecglfm.config import FinetuneConfig, TrackingSlice, TransportSlice, UserError
from ecglfm.config.difference import changed
from ecglfm.config.kinds import KINDS
from ecglfm.data.samples import check_samples
from ecglfm.evaluation.evaluate import measure
from ecglfm.evaluation.plots import calibration_figure, save_png
from ecglfm.evaluation.prediction import predict_records, predictions_on_test
from ecglfm.evaluation.report import run_transport_page
from ecglfm.evaluation.transport.acquaintance import acquaintance, home_of
from ecglfm.evaluation.transport.cohort import cohort_records, draw_local
from ecglfm.evaluation.transport.ways import Way, calibration_lines, prevalences, rows_of, with_local, with_prior
from ecglfm.provenance import code_version, read_json, write_json, write_parquet
from ecglfm.records import data_hash
from ecglfm.tracking import standard_tags, start_run
from ecglfm.training.finetuning import Rule

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
        The folder holds no model of classes, the labels are none of its, or the signals are not prepared as it reads
        them.
    """
    cohort, table, names = _predict(slice, labels, manifest, signals, threads)
    folder = Path(slice.model)
    info = dict(read_json(folder / "model.json"))
    home = home_of(folder, info)
    home_metrics = None if home is None else home.metrics()
    everybody = predictions_on_test(table, names)
    sets = draw_local(everybody.patients, slice.transport.local, slice.transport.seed)
    local = sets[max(sets)] if sets else np.zeros(len(table), bool)
    write_parquet(output / "predictions.parquet", table.assign(split=np.where(local, LOCAL, "test")))

    test, prior = rows_of(everybody, ~local), prior_of(info, home_metrics, names)
    # Of classes of which a record has exactly one, unless the labels know of some of them alone.
    exclusive = KINDS[info["kind"]].exclusive and len(names) == len(info["label_names"])
    prevalence = prevalences(test, prior, slice.evaluate, exclusive=exclusive)
    told = {name: entry["told"]["value"] for name, entry in prevalence.items()}
    ways = [Way("as_is", {}, test), with_prior(test, prior, told, exclusive=exclusive)]
    for size, rows in sets.items():
        chosen, least = rule_of(slice.finetune), slice.evaluate.min_patients
        some = rows_of(everybody, rows)
        ways.append(with_local(test, some, chosen, size=size, min_patients=least, exclusive=exclusive))
    metrics: dict[str, Any] = {
        "model": {key: info.get(key) for key in ("task", "fit")}
        | {"encoder": info.get("encoder", {}).get("name", "encoder"), "folder": slice.model, "sha256": slice.sha256},
        "task": task,
        "label_names": names,
        "not_measured": [name for name in info["label_names"] if name not in names],
        "sources": sorted(cohort["source"].unique()),
        "cohort": {"records": len(cohort), "patients": int(cohort["patient_id"].nunique())},
        "home": _home(home_metrics, names),
        "prevalence": prevalence,
        "ways": [way.about | {"name": way.name} | _measured(way, slice) for way in ways],
        "acquaintance": acquaintance(cohort, home, info, folder),
        "data_hash": data_hash(cohort),
        "code": code_version(),
    }
    write_json(output / "metrics.json", metrics)
    _draw(metrics, ways, output)
    run_transport_page(output, output / "index.html")
    _warn(metrics["acquaintance"], folder)
    first = metrics["ways"][0]["macro"]["auroc"]["value"]
    logger.info("%s: %s on %s: macro auroc %s", output, folder, ", ".join(metrics["sources"]), first)
    _track(metrics, slice, output, tracking, rule)
    return metrics


def _predict(
    slice: TransportSlice,  # noqa: A002
    labels: Path,
    manifest: Path,
    signals: Path,
    threads: int,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Records of the cohort, the table of predictions of them, and the labels of the model that are known of some."""
    import torch

    from ecglfm.models.bundle import load_model

    torch.set_num_threads(max(1, threads))
    model = load_model(slice.model)
    if not KINDS[model.kind].has_classes:
        raise UserError(f"{slice.model}: is of `kind: {model.kind}`; evaluate-on measures labels that are there or not")
    names = list(model.label_names)
    cohort = cohort_records(pd.read_parquet(labels), pd.read_parquet(manifest), names, slice.transport.sources, labels)
    known = [name for name in names if cohort[f"label.{name}"].notna().any()]
    if not known:
        raise UserError(f"{labels}: nothing is known of {', '.join(names)}, which the model predicts")
    check_samples(cohort, signals)
    return cohort, predict_records(model.to(distributed.choose_device()), cohort, signals), known


def prior_of(info: dict[str, Any], home_metrics: dict[str, Any] | None, names: list[str]) -> dict[str, float | None]:
    """Prevalence that a model's probabilities presuppose: of its training, else of its own test split, else None."""
    own = info.get("training", {}).get("prior", {})
    counted = (home_metrics or {}).get("n", {})
    found = {}
    for name in names:
        known = counted.get("known", {}).get(name)
        share = own.get(name) if name in own else counted["positives"][name] / known if known else None
        found[name] = share if share is not None and 0 < share < 1 else None
    return found


def rule_of(config: FinetuneConfig) -> Rule:
    """How thresholds are chosen."""
    return Rule(config.threshold, config.threshold_beta, config.threshold_sensitivity, config.threshold_min_positives)


def _home(metrics: dict[str, Any] | None, names: list[str]) -> dict[str, Any] | None:
    """The model's numbers on its own test split."""
    if metrics is None:
        return None
    found = {name: metrics["labels"][name] for name in names if name in metrics["labels"]}
    return {"n": metrics["n"], "sources": metrics.get("sources", []), "labels": found}


def _measured(way: Way, slice: TransportSlice) -> dict[str, Any]:  # noqa: A002
    resamples = slice.evaluate.bootstrap if way.name == "as_is" else 0
    lines = calibration_lines(way.predictions, slice.evaluate, resamples=resamples)
    measured = measure(way.predictions, slice.evaluate)
    about = way.about.get("labels", {})
    labels = {
        name: {"metrics": entries | lines[name], "adapted": about.get(name), "threshold": measured["thresholds"][name]}
        for name, entries in measured["labels"].items()
    }
    kept = {key: measured[key] for key in ("macro", "bootstrap", "split")}
    return kept | {"test": measured["n"], "labels": labels}


def _draw(metrics: dict[str, Any], ways: list[Way], output: Path) -> None:
    """Calibration of the way with most local records, and dotted of the model as it is."""
    last = metrics["ways"][-1]["labels"]
    entries = {name: last[name]["metrics"] for name in metrics["label_names"]}
    shown = replace(ways[-1].predictions, uncalibrated=ways[0].predictions.probabilities)
    save_png(calibration_figure(shown, {"labels": entries}), output / "calibration.png")


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
