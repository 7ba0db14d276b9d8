"""Prepared recordings as an encoder with an input contract reads them, made of whole ones when a batch wants them.

What comes out is a function of the recording and the contract alone, so that training, evaluation and prediction, with
any number of loader processes, read the same. Of a recording that is long, where no step needs all of it, only the
stretch around a piece is made, with as much beside it as filters reach: of a day a crop would take gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd

from ecglfm.config import InputConfig
from ecglfm.data.samples.dataset import Signals, cut_windows, padded

#: Seconds: a recording that is longer is made in stretches, that long, with so much more on either side.
_WHOLE, _STRETCH, _BESIDE = 900, 300, 60


class Contract(Protocol):
    """What is asked of `ecglfm.data.signals.EncoderInput`."""

    @property
    def config(self) -> InputConfig:
        """What it was made of."""

    @property
    def factor(self) -> int:
        """Samples that a window has before its own steps, for one behind them."""

    @property
    def rate(self) -> int:
        """Of prepared recordings, Hz."""

    @property
    def reach(self) -> float:
        """Seconds beyond which a sample has no part in what `record` makes."""

    def length(self, n_samples: int) -> int:
        """Samples of what the encoder reads that so many prepared ones give."""

    def record(self, signal_tl: np.ndarray) -> np.ndarray:
        """What becomes of a whole recording, or of a stretch of it, float32, of int16 microvolts."""

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
        self._local = contract.reach <= _BESIDE
        self._last: tuple[tuple[int, int, int], np.ndarray] | None = None  # of a recording windows follow one another

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
        rows, starts = np.asarray(rows, np.int64), np.asarray(starts, np.int64)
        stops = starts + np.clip(self.n_samples[rows] - starts, 0, length if valid is None else valid)
        first, stop, before = self._stretches(rows, starts, length)
        factor = self._contract.factor
        places = zip(self._made(rows, first, stop), starts - before, stops - before, strict=True)
        cut = (made[begin * factor : end * factor] for made, begin, end in places)
        return [self._contract.window(piece) if len(piece) else piece for piece in cut]

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int, valid: np.ndarray | None = None) -> np.ndarray:
        """The same pieces, float32 (n, length, leads), zeros behind the real samples of each."""
        return padded(self.views(rows, starts, length, valid), length)

    def windows(self, length: int) -> pd.DataFrame:
        """Non-overlapping windows that cover every recording, as `cut_windows` makes them."""
        return cut_windows(self.n_samples, length)

    def _stretches(self, rows: np.ndarray, starts: np.ndarray, length: int) -> tuple[np.ndarray, ...]:
        """Of each piece where what it is made of begins and ends, in prepared samples, and begins, in made ones.

        Stretches begin at whole seconds, which are whole samples at any rate, and are the same for all pieces that
        begin within the same `_STRETCH`.
        """
        samples, rate, made_rate = self._store.n_samples[rows], self._contract.rate, self._contract.config.sampling_rate
        in_part = self._local & (samples > _WHOLE * rate)
        second = np.minimum(starts, self.n_samples[rows]) // made_rate // _STRETCH * _STRETCH
        begin = np.where(in_part, np.maximum(second - _BESIDE, 0), 0)
        end = second + _STRETCH + -(-length // made_rate) + _BESIDE
        return begin * rate, np.where(in_part, np.minimum(end * rate, samples), samples), begin * made_rate

    def _made(self, rows: np.ndarray, first: np.ndarray, stop: np.ndarray) -> Iterator[np.ndarray]:
        """Recordings, or stretches, behind the steps over the whole of them, one at a time."""
        longest = int((stop - first).max())
        prepared = self._store.views(rows, first, longest)  # all at once: what is on disk is read ahead
        places = zip(rows.tolist(), first.tolist(), stop.tolist(), strict=True)
        for place, signal_tl in zip(places, prepared, strict=True):
            if self._last is None or self._last[0] != place:
                self._last = place, self._contract.record(signal_tl[: place[2] - place[1]])
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
