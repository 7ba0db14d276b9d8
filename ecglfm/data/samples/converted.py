"""Prepared recordings as an encoder with an input contract reads them, made of whole ones when a batch wants them.

What comes out is a function of the recording and the contract alone, so that training, evaluation and prediction, with
any number of loader processes, read the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd

from ecglfm.config import InputConfig
from ecglfm.data.samples.dataset import Signals, cut_windows, padded


class Contract(Protocol):
    """What is asked of `ecglfm.data.signals.EncoderInput`."""

    @property
    def config(self) -> InputConfig:
        """What it was made of."""

    @property
    def factor(self) -> int:
        """Samples that a window has before its own steps, for one behind them."""

    def length(self, n_samples: int) -> int:
        """Samples of what the encoder reads that so many prepared ones give."""

    def record(self, signal_tl: np.ndarray) -> np.ndarray:
        """What becomes of a whole recording, float32, of int16 microvolts."""

    def window(self, piece_tl: np.ndarray) -> np.ndarray:
        """What becomes of a piece of that, float32."""


class Store(Protocol):
    """Prepared recordings, int16 microvolts: `Signals`, `Held`."""

    @property
    def n_samples(self) -> np.ndarray:
        """Of each recording."""

    def views(self, rows: np.ndarray, starts: np.ndarray, length: int) -> list[np.ndarray]:
        """Pieces of some of them, shape (at most length, leads)."""


class Converted:
    """Recordings as an encoder reads them; lengths and places are in samples of that.

    A piece is cut from the recording behind the steps over the whole of it, and then goes through the steps over a
    window: these see its real samples alone, and padding comes behind.

    Parameters
    ----------
    store : Store
        Its rows are the rows here.
    contract : Contract

    Attributes
    ----------
    n_samples : ndarray of int64, shape (records,)
        Of what the encoder reads.
    """

    dtype: ClassVar[type[np.generic]] = np.float32

    def __init__(self, store: Store, contract: Contract) -> None:
        self._store, self._contract = store, contract
        lengths, place = np.unique(store.n_samples, return_inverse=True)
        self.n_samples = np.array([contract.length(int(samples)) for samples in lengths], np.int64)[place]
        self._last: tuple[int, np.ndarray] | None = None  # windows of a recording come one after the other

    def __len__(self) -> int:
        return len(self.n_samples)

    @property
    def leads(self) -> int:
        """Leads of what the encoder reads."""
        return len(self._contract.config.leads)

    def views(
        self, rows: np.ndarray, starts: np.ndarray, length: int, valid: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """One piece of each recording, float32 (at most length, leads); arguments and errors as `Signals.views`."""
        rows = np.asarray(rows, np.int64)
        samples = np.full(len(rows), length) if valid is None else valid
        places = zip(self._wholes(rows), np.asarray(starts).tolist(), samples.tolist(), strict=True)
        factor = self._contract.factor
        cut = (whole[start * factor : (start + count) * factor] for whole, start, count in places)
        return [self._contract.window(piece) if len(piece) else piece for piece in cut]

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int, valid: np.ndarray | None = None) -> np.ndarray:
        """The same pieces, float32 (n, length, leads), zeros behind the real samples of each."""
        return padded(self.views(rows, starts, length, valid), length)

    def windows(self, length: int) -> pd.DataFrame:
        """Non-overlapping windows that cover every recording, as `cut_windows` makes them."""
        return cut_windows(self.n_samples, length)

    def _wholes(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Recordings behind the steps over the whole of them, one at a time."""
        longest = int(self._store.n_samples[rows].max())
        prepared = self._store.views(rows, np.zeros_like(rows), longest)  # all at once: what is on disk is read ahead
        for row, signal_tl in zip(rows.tolist(), prepared, strict=True):
            if self._last is None or self._last[0] != row:
                self._last = row, self._contract.record(signal_tl)
            yield self._last[1]


class ConvertedSignals(Converted):
    """`Converted` of `Signals`, with what a loader of pretraining asks of those.

    Parameters
    ----------
    store : Signals
    contract : Contract
    """

    _store: Signals

    def disk_order(self) -> np.ndarray:
        """As `Signals.disk_order`."""
        return self._store.disk_order()

    def read_ahead(self, rows: np.ndarray) -> int:
        """As `Signals.read_ahead`."""
        return self._store.read_ahead(rows)
