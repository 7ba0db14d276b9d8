"""A feature as a number that a model gives of a recording: the encoder with a head whose weights are the feature's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ecglfm.config import UserError
from ecglfm.models.encoders import Encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.outputs import link_of
from ecglfm.training.vectors import encoder_of, vector_columns


def feature_model(module: Encoder | ECGModel, weights: Path, names: Sequence[str], spread_k: np.ndarray) -> ECGModel:
    """A model whose outputs are features before their transform, in people's standard deviations.

    Parameters
    ----------
    module : Encoder or ECGModel
        Whose vectors the features were made of.
    weights : path
        `edf_weights.parquet`: feature = (vector - mean) @ weights.
    names : sequence of str
        Features.
    spread_k : ndarray, shape (features,)
        Standard deviation of each among people.

    Raises
    ------
    UserError
        The weights are of vectors of another width.
    """
    encoder = encoder_of(module)
    table = pd.read_parquet(weights)
    if table["dimension"].tolist() != vector_columns(module.embedding_dim):
        raise UserError(
            f"{weights}: of vectors of {len(table)} numbers, the encoder's have {module.embedding_dim}: it is another"
        )
    weights_dk = table[list(names)].to_numpy(np.float64)
    count = len(names)
    mode = "linear" if getattr(module, "pooling", None) is None else "frozen"
    model = ECGModel(encoder, names, mode, link_of("regression", [0.0] * count, [1.0] * count))
    if isinstance(module, ECGModel):
        model.pooling = module.pooling  # the vector is what that model's head reads
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy((weights_dk / spread_k).T))
        model.head.bias.copy_(torch.from_numpy(-(table["mean"].to_numpy() @ weights_dk) / spread_k))
    device = next((parameter.device for parameter in encoder.parameters()), torch.device("cpu"))
    return model.to(device).eval()
