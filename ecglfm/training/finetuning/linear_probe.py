"""Linear probing: the encoder never changes, so its vectors of fixed windows are made once and only the head works."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ecglfm import distributed
from ecglfm.models.heads import ECGModel
from ecglfm.training.finetuning.batches import FeatureBatches
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.finetuning.supervised import Learner
from ecglfm.training.inference import evaluating, outputs_by_record
from ecglfm.training.vectors import embed_windows, read_vectors, weights_hash

logger = logging.getLogger(__name__)


def linear_learner(
    model: ECGModel, data: Labelled, encoder: Path, vectors: Path | None = None, *,
    stop: distributed.StopFlag | None = None, **common: Any,
) -> Learner:  # fmt: skip
    """A learner of the head alone.

    Parameters
    ----------
    model : ECGModel
        Of mode `linear`.
    data : Labelled
    encoder : path
        What the model's encoder was loaded from.
    vectors : path, optional
        Folder of what the stage `embed` made with this encoder; None: they are made here.
    stop : StopFlag, optional
        Ends the encoder's work, of which nothing is kept; of one process, since ranks may find the vectors or not.
    **common
        Arguments of `FeatureBatches` but features, target and epoch.

    Raises
    ------
    Stopped
        `stop` was raised.
    """
    table, made = window_vectors(model, data, encoder, vectors, stop)
    train, valid = (table["row"].isin(rows).to_numpy() for rows in (data.train, data.valid))
    inputs, valid_inputs = torch.from_numpy(made[train]), torch.from_numpy(made[valid])
    common["places"] = int(table["row"].isin(data.all_train).sum())
    return probe_learner(model, inputs, data.target[table["row"][train]], valid_inputs, table["row"][valid], **common)


def window_vectors(
    model: ECGModel, data: Labelled, encoder: Path, vectors: Path | None, stop: distributed.StopFlag | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Windows of all records (`row`, …) and their vectors (windows, dim); arguments and errors of `linear_learner`."""
    table = data.signals.windows(model.encoder.crop_samples)
    if vectors is not None:
        return table, read_vectors(vectors, model.encoder, weights_hash(encoder), data.records, table)
    try:
        own_stop = stop if distributed.world_size() == 1 else None
        return table, embed_windows(model.encoder, data.signals, table, stop=own_stop)
    except distributed.Stopped:
        logger.warning("stopped by a signal before the encoder's vectors were whole; a rerun makes them anew")
        raise


def probe_learner(
    model: ECGModel,
    inputs: torch.Tensor,
    target: np.ndarray,
    valid_inputs: torch.Tensor,
    judged_row: pd.Series,
    **common: Any,
) -> Learner:
    """A learner of the head alone, from the vectors of windows.

    Parameters
    ----------
    model : ECGModel
    inputs : Tensor, shape (windows, dim)
        Of the training windows.
    target : ndarray, shape (windows, labels)
        Of the same windows.
    valid_inputs : Tensor, shape (windows, dim)
        Of the validation windows.
    judged_row : Series of int
        Record of each validation window.
    **common
        As in `linear_learner`.
    """
    row, known = judged_row.to_numpy(), torch.from_numpy(target)

    def validate(_: object) -> np.ndarray:
        with evaluating(model.head) as device:
            outputs = model.outputs(model.head(valid_inputs.to(device, model.head.weight.dtype)).float())
        return outputs_by_record(model, row, outputs.cpu().numpy())

    def batches(epoch: int) -> FeatureBatches:
        return FeatureBatches(inputs, known, epoch=epoch, **common)

    return Learner(
        model.head, lambda epoch, first: batches(epoch).since(first), validate, len(batches(1)),
        known=lambda epoch: batches(epoch).known,
    )  # fmt: skip
