"""Weights of the fixtures' recipe: numbers that follow from the name alone, so that no large file is needed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch


def drawn(shapes: Mapping[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """Weights of these shapes, float32; counts of batches are 0."""
    state = {}
    for name, shape in shapes.items():
        value, last = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape), name.rpartition(".")[2]
        if last == "num_batches_tracked":
            state[name] = torch.zeros(shape, dtype=torch.int64)
            continue
        if last == "running_var":
            value = np.exp(0.2 * value)
        elif last in ("weight_g", "original0"):
            value = 1 + 0.1 * value
        elif len(shape) > 1:
            value /= np.sqrt(np.prod(shape[1:]))
        elif last == "weight":
            value = 1 + 0.1 * value
        else:
            value *= 0.1
        state[name] = torch.from_numpy(np.asarray(value, np.float32))
    return state
