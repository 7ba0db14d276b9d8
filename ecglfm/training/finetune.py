"""Fine-tuning: an encoder and the labels of a task become a disease model.

Weights, epoch and thresholds are chosen on the validation split; the test split is not even loaded.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ecglfm import distributed
from ecglfm.config import FinetuneConfig, FinetuneSlice, TaskSlice, TrackingSlice, UserError
from ecglfm.models.bundle import load_encoder, save_model
from ecglfm.models.heads import MODES, ECGModel
from ecglfm.provenance import sha256_json, write_text
from ecglfm.tracking import standard_tags, start_run
from ecglfm.training.inference import evaluating, mean_by_record, model_input, predict
from ecglfm.training.labelled import Batch, EpochBatches, FeatureBatches, Labelled, iterate, load_labelled
from ecglfm.training.supervised import Course, Learner, train
from ecglfm.training.thresholds import choose_thresholds

logger = logging.getLogger(__name__)


def parse_fit(fit: str) -> tuple[str, int]:
    """Mode and seed that the name of a fit says.

    Raises
    ------
    UserError
        The name is not `{mode}-s{seed}`.
    """
    match = re.fullmatch(rf"({'|'.join(MODES)})-s(\d+)", fit)
    if match is None:
        raise UserError(f"--fit {fit}: expected {{mode}}-s{{seed}} with a mode out of {', '.join(MODES)}: full-s0")
    return match[1], int(match[2])


def run_finetune(
    slice: FinetuneSlice,  # noqa: A002
    *,
    fit: str,
    encoder: Path,
    task: TaskSlice,
    labels: Path,
    manifest: Path,
    signals: Path,
    output: Path,
    tracking: TrackingSlice | None = None,
    rule: str | None = None,
    threads: int | None = None,
) -> ECGModel:
    """Fit one encoder to one task, in one mode with one seed.

    Parameters
    ----------
    slice : FinetuneSlice
    fit : str
        `{mode}-s{seed}`.
    encoder : path
        `pretrain/{encoder}`, or a file in it.
    task : TaskSlice
        What the labels were made by.
    labels, manifest, signals : path
        `labels/{task}.parquet`, `manifest/records.parquet`, `preprocess/`.
    output : path
        Folder of `model.safetensors`, `model.json`, `history.csv`.
    tracking : TrackingSlice, optional
    rule : str, optional
        Snakemake rule, a tag in MLflow.
    threads : int, optional
        Threads of torch on the CPU.

    Returns
    -------
    ECGModel
        As saved, with its thresholds.

    Raises
    ------
    UserError
        The fit's name, the files or the labels are not usable, or the loss is not finite any more.
    """
    mode, seed = parse_fit(fit)
    device = distributed.init(threads)
    config, data = slice.finetune, load_labelled(labels, manifest, signals)
    if sorted(data.label_names) != sorted(task.config.labels):
        raise UserError(
            f"{labels}: labels {data.label_names}, but the task says {list(task.config.labels)}; run `labels`"
        )
    model = _build(encoder, data, mode, seed, config).to(device)
    _check_signals(model, data, encoder, manifest)
    logger.info(
        "%s, %s: %d train and %d valid records, %d labels",
        task.task, fit, len(data.train), len(data.valid), len(data.label_names),
    )  # fmt: skip
    name = str(model.encoder.info.get("name", "encoder"))
    settings = config.model_dump(mode="json", exclude={"modes", "seeds", "num_workers"})  # they change no result
    hashes = {
        "config_hash": sha256_json({"finetune": settings, "fit": fit, "task": task.model_dump(mode="json")}),
        "data_hash": data.hash(),
    }
    tags = standard_tags(stage="finetune", encoder=name, task=task.task, fit=fit, rule=rule, **hashes)
    params = {"finetune": settings, "mode": mode, "seed": seed, "task": task.config.model_dump(mode="json")}
    tracking = tracking if distributed.is_main() else None
    with start_run(tracking, stage="finetune", name=f"{name}/{task.task}/{fit}", tags=tags, params=params) as run:
        learner = _learner(model, data, config, seed)
        course = train(learner, config, seed=seed, target=data.target[data.valid], run=run)
        # A fresh module: the engine may have partitioned or halved the weights of the one it trained.
        model = _build(encoder, data, mode, seed, config)
        (model.head if mode == "linear" else model).load_state_dict(course.weights)
        model.to(device).eval()
        probability = predict(model, data.signals, _windows(model, data, data.valid), batch_size=config.batch_size)
        model.thresholds = choose_thresholds(data.target[data.valid], probability, data.label_names, config.threshold)
        if distributed.is_main():
            about = {"task": task.task, "kind": task.config.kind, "fit": fit, "seed": seed}
            write_text(output / "history.csv", pd.DataFrame(course.rows).to_csv(index=False))
            save_model(output, model, {**about, **hashes, "training": _summary(course, data)})
            run.artifact(output / "history.csv")
            run.artifact(output / "model.json")
    return model


def _build(encoder: Path, data: Labelled, mode: str, seed: int, config: FinetuneConfig) -> ECGModel:
    """The model before training; the seed decides the head."""
    torch.manual_seed(seed)
    model = ECGModel(load_encoder(encoder), data.label_names, mode)
    model.freeze(mode, config.freeze_frontend)
    return model


def _windows(model: ECGModel, data: Labelled, rows: np.ndarray) -> pd.DataFrame:
    """Every window of some records."""
    windows = data.signals.windows(model.encoder.crop_samples)
    return windows[windows["row"].isin(rows)]


def _learner(model: ECGModel, data: Labelled, config: FinetuneConfig, seed: int) -> Learner:
    """A learner for the model's mode."""
    ranks = {"rank": distributed.rank(), "world_size": distributed.world_size()}
    common = {"batch_size": config.batch_size, "seed": seed, **ranks}
    if model.mode == "linear":
        return _linear_learner(model, data, common)
    length, valid = model.encoder.crop_samples, _windows(model, data, data.valid)

    def batches(epoch: int) -> Iterator[Batch]:
        return iterate(EpochBatches(data, length=length, epoch=epoch, **common), config.num_workers)

    forwards = len(EpochBatches(data, length=length, epoch=1, **common))
    return Learner(model, batches, lambda: predict(model, data.signals, valid, batch_size=config.batch_size), forwards)


def _linear_learner(model: ECGModel, data: Labelled, common: dict[str, Any]) -> Learner:
    """The encoder never changes, so that its vectors of fixed windows are made once and only the head works."""
    windows = {"train": _windows(model, data, data.train), "valid": _windows(model, data, data.valid)}
    inputs, judged = (
        torch.from_numpy(embed_windows(model, data, table, common["batch_size"])) for table in windows.values()
    )
    target = torch.from_numpy(data.target[windows["train"]["row"]])
    row = windows["valid"]["row"].to_numpy()

    def validate() -> np.ndarray:
        with evaluating(model.head) as device:
            probability = torch.sigmoid(model.head(judged.to(device, model.head.weight.dtype)).float())
        return mean_by_record(row, probability.cpu().numpy())

    def batches(epoch: int) -> FeatureBatches:
        return FeatureBatches(inputs, target, epoch=epoch, **common)

    return Learner(model.head, lambda epoch: iter(batches(epoch)), validate, len(batches(1)))


def embed_windows(model: ECGModel, data: Labelled, windows: pd.DataFrame, batch_size: int) -> np.ndarray:
    """Encoder's vector of each window, float32 (windows, dim)."""
    row, start, valid = (windows[column].to_numpy() for column in ("row", "start", "valid"))
    parts = []
    with evaluating(model) as device:
        for first in tqdm(range(0, len(windows), batch_size), desc="features", leave=False, disable=None):
            batch = slice(first, first + batch_size)
            crops = data.signals.crops(row[batch], start[batch], model.encoder.crop_samples)
            x, mask = model_input(crops, valid[batch])
            vectors = model.encoder.embed(x.to(device), None if mask is None else mask.to(device))
            parts.append(vectors.float().cpu().numpy())
    return np.concatenate(parts)


def _check_signals(model: ECGModel, data: Labelled, encoder: Path, manifest: Path) -> None:
    """Raise `UserError` where the prepared signals are not what the encoder reads."""
    rates = data.records["sampling_rate"].unique().tolist()
    if rates != [model.encoder.sampling_rate]:
        raise UserError(f"{encoder}: reads {model.encoder.sampling_rate} Hz, but {manifest} has signals of {rates} Hz")
    leads = data.signals.crops(data.train[:1], np.zeros(1, np.int64), 1).shape[2]
    if leads != len(model.encoder.leads):
        raise UserError(f"{encoder}: reads {len(model.encoder.leads)} leads, but the prepared signals have {leads}")


def _summary(course: Course, data: Labelled) -> dict[str, Any]:
    """What `model.json` says of the training."""
    auroc = next(row["auroc"] for row in course.rows if (row["epoch"], row["split"]) == (course.best.epoch, "valid"))
    return {
        "epochs": course.rows[-1]["epoch"],
        "best_epoch": course.best.epoch,
        "valid_loss": course.best.loss,
        "valid_auroc": None if math.isnan(auroc) else auroc,
        "train_records": len(data.train),
        "valid_records": len(data.valid),
    }
