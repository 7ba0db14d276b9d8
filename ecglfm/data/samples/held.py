"""Prepared recordings in memory, read as those on disk are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ecglfm.data.samples.dataset import cut_windows, padded


class Held:
    """Prepared recordings in memory, as `ecglfm.training.inference` reads them.

    Parameters
    ----------
    signals : sequence of ndarray of int16, shape (samples, leads)
        Microvolts.
    """

    def __init__(self, signals: Sequence[np.ndarray]) -> None:
        self._signals = signals
        self.n_samples = np.array([len(signal) for signal in signals], np.int64)

    def windows(self, length: int) -> pd.DataFrame:
        """Windows that cover every recording, as `cut_windows` makes them."""
        return cut_windows(self.n_samples, length)

    def views(self, rows: np.ndarray, starts: np.ndarray, length: int) -> list[np.ndarray]:
        """Pieces of some recordings, int16 microvolts, shape (at most length, leads)."""
        places = zip(rows.tolist(), starts.tolist(), strict=True)
        return [self._signals[row][start : start + length] for row, start in places]

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """The same pieces, int16 (rows, length, leads), zeros past the end."""
        return padded(self.views(rows, starts, length), length)
