"""Linear probing: the encoder never changes, so its vectors of fixed windows are made once and only the head works."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ecglfm import distributed
from ecglfm.models.encoders import Encoder
from ecglfm.models.heads import ECGModel
from ecglfm.training.finetuning.batches import FeatureBatches
from ecglfm.training.finetuning.features import cached, features_key
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.finetuning.supervised import Learner
from ecglfm.training.inference import CropReader, evaluating, model_input, outputs_by_record

logger = logging.getLogger(__name__)

_TOGETHER = 64  # windows in one forward of the encoder


def linear_learner(
    model: ECGModel, data: Labelled, encoder: Path, features: Path | None = None, *,
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
    features : path, optional
        Folder where vectors are kept for the next fit of this encoder on these records.
    stop : StopFlag, optional
        Ends the encoder's work, of which nothing is kept; of one process, since ranks may find the vectors or not.
    **common
        Arguments of `FeatureBatches` but features, target and epoch.

    Raises
    ------
    Stopped
        `stop` was raised.
    """
    table = data.signals.windows(model.encoder.crop_samples)

    def make() -> np.ndarray:
        try:
            return embed_windows(model.encoder, data.signals, table, stop if distributed.world_size() == 1 else None)
        except distributed.Stopped:
            logger.warning("stopped by a signal before the encoder's vectors were whole; a rerun makes them anew")
            raise

    if features is None:
        vectors = make()
    else:
        key = features_key(encoder, data.records, table)
        vectors = cached(features, key, (len(table), model.encoder.dim), make)
    train, valid = (table["row"].isin(rows).to_numpy() for rows in (data.train, data.valid))
    inputs, valid_inputs = torch.from_numpy(vectors[train]), torch.from_numpy(vectors[valid])
    return probe_learner(model, inputs, data.target[table["row"][train]], valid_inputs, table["row"][valid], **common)


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

    return Learner(model.head, lambda epoch, first: batches(epoch).since(first), validate, len(batches(1)))


def embed_windows(
    encoder: Encoder, signals: CropReader, windows: pd.DataFrame, stop: distributed.StopFlag | None = None
) -> np.ndarray:
    """Encoder's vector of each window, float32 (windows, dim); no setting of a fit changes it, so that all share it.

    Raises
    ------
    Stopped
        `stop` was raised, before the end.
    """
    row, start, valid = (windows[column].to_numpy() for column in ("row", "start", "valid"))
    parts = []
    with evaluating(encoder) as device:
        for first in tqdm(range(0, len(windows), _TOGETHER), desc="features", leave=False, disable=None):
            distributed.end_if(stop)
            batch = slice(first, first + _TOGETHER)
            crops = signals.crops(row[batch], start[batch], encoder.crop_samples)
            x, mask = model_input(crops, valid[batch])
            vectors = encoder.embed(x.to(device), None if mask is None else mask.to(device))
            parts.append(vectors.float().cpu().numpy())
    return np.concatenate(parts)
