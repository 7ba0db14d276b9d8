"""The encoder's vector of every window, in order and over its real samples alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ecglfm.training.finetuning.linear_probe import embed_windows


class Encoder(nn.Module):
    """Its vector of a window: mean of each lead over the real samples, millivolts; dropout would show."""

    crop_samples = 4

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.9)
        self.scale = nn.Parameter(torch.ones(1))

    def embed(self, x_bln: Tensor, mask_bn: Tensor | None = None) -> Tensor:
        real = torch.ones_like(x_bln[:, 0], dtype=torch.bool) if mask_bn is None else mask_bn
        summed = (self.dropout(x_bln) * real[:, None]).sum(dim=2)
        return self.scale * summed / real.sum(dim=1, keepdim=True)


class Samples:
    """A sample is 1000 times its record and the place in it, uV; the second lead the negative of the first."""

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        first = 1000 * rows[:, None] + starts[:, None] + np.arange(length)
        return np.stack([first, -first], axis=2).astype(np.int16)


def test_each_window_has_its_own_vector_in_order() -> None:
    encoder = Encoder().train()
    row = np.arange(300) % 7  # more than are embedded together
    windows = pd.DataFrame({"row": row, "start": np.arange(300) % 11, "valid": 4})
    windows.loc[[5, 299], "valid"] = 2
    vectors = embed_windows(encoder, Samples(), windows)  # type: ignore[arg-type]
    middle = np.where(windows["valid"] == 4, 1.5, 0.5)  # mean of places 0 to 3, and of 0 and 1
    wanted = (1000 * row + windows["start"] + middle) / 1000
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, np.stack([wanted, -wanted], axis=1), rtol=1e-5)
    assert encoder.training  # as it was
    assert encoder.scale.grad is None
