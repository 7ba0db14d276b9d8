"""Signals for an encoder: prepared ones as they are, or what its `input` makes of them; the same wherever one reads."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeVar, overload

import numpy as np
import pandas as pd

from ecglfm.config import InputConfig, PreprocessConfig
from ecglfm.data.samples import Converted, ConvertedSignals, Held, Signals, Store
from ecglfm.data.signals.encoder_input import EncoderInput

StoreT = TypeVar("StoreT", bound=Store)


class Reads(Protocol):
    """What an encoder, or the slice of one, says of what it reads."""

    @property
    def input(self) -> InputConfig | None:
        """What is made of prepared signals; None: it reads them as they are."""

    @property
    def preprocess(self) -> PreprocessConfig:
        """How these were prepared."""


@overload
def as_read(store: Signals, encoder: Reads) -> Signals | ConvertedSignals: ...
@overload
def as_read(store: StoreT, encoder: Reads) -> StoreT | Converted: ...
def as_read(store: Store, encoder: Reads) -> Store | Converted:
    """Prepared recordings as an encoder reads them.

    Parameters
    ----------
    store : Signals, Held or their like
    encoder : Encoder, or the slice of one

    Returns
    -------
    Store or Converted
        `store` itself where the encoder has no `input`.

    Raises
    ------
    UserError
        Its input cannot be made of signals that are prepared so.
    """
    if encoder.input is None:
        return store
    of_files = isinstance(store, Signals)
    return (ConvertedSignals if of_files else Converted)(store, EncoderInput(encoder.input, encoder.preprocess))


def signals_for(encoder: Reads, records: pd.DataFrame, folder: str | Path) -> Signals | ConvertedSignals:
    """`as_read` of the prepared signals of some records (rows of the manifest) in the folder `preprocess/`."""
    return as_read(Signals(records, folder), encoder)


def shown_mv(signal_uv: np.ndarray, encoder: Reads) -> np.ndarray:
    """Millivolts of a prepared recording, sample for sample and lead for lead what the encoder reads something of.

    Of an encoder with `input` only those of its steps are made that change the time: others take the unit away, and
    what they leave is no ECG that a person, or who looks for beats, would know.

    Parameters
    ----------
    signal_uv : ndarray of int16, shape (samples, leads)
        As `prepare` gives it.
    encoder : Encoder

    Returns
    -------
    ndarray of float64, shape (samples, leads)
        At the encoder's rate, in the order of its leads.
    """
    if encoder.input is None:
        return signal_uv.astype(np.float64) / 1000.0
    config = encoder.input.in_millivolts()
    read = Converted(Held([signal_uv]), EncoderInput(config, encoder.preprocess))
    samples = int(read.n_samples[0])
    starts = np.arange(0, samples, config.window_samples)
    pieces = read.views(np.zeros_like(starts), starts, config.window_samples)
    return np.concatenate(pieces)[:samples].astype(np.float64)
