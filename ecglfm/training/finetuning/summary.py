"""What `model.json` says of a fit: how it went, whom it learnt from, what its probabilities presuppose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ecglfm.config import FinetuneConfig
from ecglfm.config.fits import Fit
from ecglfm.config.kinds import KINDS
from ecglfm.distributed import world_size
from ecglfm.training.finetuning.history import TrainingHistory
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.finetuning.targets import targets_of
from ecglfm.training.finetuning.thresholds import Threshold


def lacking(data: Labelled) -> dict[str, str]:
    """Labels that cannot be learnt from the training records, and what they lack."""
    rule, columns = targets_of(data.kind), data.target[data.train].T
    found = {name: rule.lacks(column) for name, column in zip(data.label_names, columns, strict=True)}
    return {name: lacking for name, lacking in found.items() if lacking is not None}


def prior(data: Labelled, config: FinetuneConfig) -> dict[str, float | None]:
    """Share of training records with each label, which its probabilities presuppose; of balanced weights the same."""
    target = data.target[data.train]
    known = ~np.isnan(target)
    shares = np.where(known, target, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    if config.class_weights == "balanced":
        shares[:] = 1 / (len(data.label_names) if KINDS[data.kind].exclusive else 2)
    return {
        name: float(share) if any_ else None
        for name, share, any_ in zip(data.label_names, shares, known.any(0), strict=True)
    }


def summarize(
    history: TrainingHistory, data: Labelled, fit: Fit, chosen: dict[str, Threshold], config: FinetuneConfig
) -> dict[str, Any]:
    """What `model.json` says of the training."""
    best = next(row for row in history.rows if (row["epoch"], row["split"]) == (history.best.epoch, "valid"))
    scores = {f"valid_{key}": best[key] for key in best if key not in ("epoch", "split", "lr", "head_lr")}
    stepped = history.rows[-1]["epoch"] > 0  # else it was solved, or taught nothing
    taught = fit.mode != "zero_shot"  # else no label of a training record was looked at
    learnt = data if taught else data._replace(train=data.train[:0])
    return {
        "epochs": history.rows[-1]["epoch"],
        "best_epoch": history.best.epoch,
        **{key: None if math.isnan(value) else value for key, value in scores.items()},
        **({"records_per_update": config.batch_size * config.accumulate * world_size()} if stepped else {}),
        **({"records_per_epoch": len(data.all_train)} if stepped and fit.fraction < 1 else {}),
        "train_records": len(learnt.train),
        "train_patients": learnt.train_patients,
        "valid_records": len(data.valid),
        "valid_patients": data.valid_patients,
        "lacking": lacking(data) if taught else {},
        **({"prior": prior(data, config)} if taught and KINDS[data.kind].has_classes else {}),
        **({"thresholds": {name: one.describe() for name, one in chosen.items()}} if chosen else {}),
    }
