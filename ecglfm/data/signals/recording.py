"""One recording from raw microvolts to what a model reads: leads, quality, gaps, rate, filters.

The same `prepare` serves the pipeline's shards and a single recording at prediction time, so that a
model always sees what it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from ecglfm.config import LEADS, InputConfig, PreprocessConfig, UserError
from ecglfm.data.samples import Held, to_millivolts
from ecglfm.data.signals import filters as steps
from ecglfm.data.signals.for_encoder import as_read
from ecglfm.data.signals.quality import MEASURES, POSITION, judge, measure
from ecglfm.records import ALL_LEADS, LIMIT_UV, MAX_SAMPLES, SENTINEL, Record, RecordError, to_microvolts

if TYPE_CHECKING:
    import torch

RATES = (20.0, 20000.0)  # Hz; beyond them the header is wrong, and resampling would take all memory


@dataclass(frozen=True)
class Prepared:
    """One recording after preprocessing.

    Attributes
    ----------
    signal : ndarray of int16, shape (n_samples, len(leads))
        Microvolts at the configured rate, never `SENTINEL`, zeros in absent leads; empty when the record is dropped.
    quality : dict
        The measures of `ecglfm.data.signals.quality.MEASURES`, taken from the raw signal.
    flags : dict
        Failed `flag` test: detail.
    dropped : tuple of (reason, detail) or None
    """

    signal: np.ndarray
    quality: dict[str, float]
    flags: dict[str, str]
    dropped: tuple[str, str] | None = None


@runtime_checkable
class HasPreprocess(Protocol):
    """What `preprocess` asks of an encoder: how it was fed."""

    @property
    def preprocess(self) -> PreprocessConfig:
        """How its signals were prepared."""

    @property
    def input(self) -> InputConfig | None:
        """What is made of those before it reads them."""

    @property
    def crop_samples(self) -> int:
        """Samples of one window."""


class Model(Protocol):
    """A disease model, which is fed as its encoder is."""

    @property
    def encoder(self) -> HasPreprocess:
        """The encoder within it."""


def _filter(signal: np.ndarray, config: PreprocessConfig) -> np.ndarray:
    """Band-pass and notch of a signal `(n_leads, n_samples)` at the configured rate."""
    rate, band, mains = config.sampling_rate, config.bandpass, config.notch
    if band is not None:
        signal = steps.bandpass(signal, rate, low=band.low, high=band.high, order=band.order)
    if mains is not None:
        signal = steps.notch(signal, rate, frequency=mains.frequency, quality=mains.quality)
    return signal


def prepare(signal_uv: np.ndarray, fs: float, config: PreprocessConfig, *, lead_mask: int = ALL_LEADS) -> Prepared:
    """Measure, judge, fill, resample and filter one recording.

    Parameters
    ----------
    signal_uv : ndarray of int16, shape (n_samples, 12)
        Microvolts in the standard lead order; `SENTINEL` where a sample is missing.
    fs : float
        Hz.
    config : PreprocessConfig
    lead_mask : int
        Bit i is set where `LEADS[i]` was recorded or derived; the other columns are not read.

    Returns
    -------
    Prepared
    """

    def drop(reason: str, detail: str, quality: dict[str, float] | None = None) -> Prepared:
        empty = np.empty((0, len(config.leads)), np.int16)
        return Prepared(empty, quality or dict.fromkeys(MEASURES, np.nan), {}, (reason, detail))

    if len(signal_uv) < 2:  # one has no rate
        return drop("too_short", f"{len(signal_uv)} samples, at least 2 are needed")
    if not RATES[0] <= fs <= RATES[1]:
        return drop("sampling_rate", f"{fs:g} Hz is outside {RATES[0]:g} to {RATES[1]:g} Hz")
    prepared_samples = len(signal_uv) * config.sampling_rate / fs * len(config.leads)
    if prepared_samples > MAX_SAMPLES:  # it was not before: the header's rate is wrong, or the config's
        return drop("signal_too_long", f"{len(signal_uv)} samples at {fs:g} Hz would be {prepared_samples:.2g} values")
    present = [bool(lead_mask >> lead & 1) for lead in range(len(LEADS))]
    raw = np.ascontiguousarray(signal_uv.T)  # NumPy is six times as fast along a lead whose samples are neighbours
    if raw.min(axis=1).min() == SENTINEL:
        raw = np.where(raw == SENTINEL, np.nan, raw)
    quality = measure(raw, fs, leads=config.leads, present=present, max_gap_seconds=config.max_gap_seconds)
    flags, dropped = judge(quality, config.quality)
    chosen = [POSITION[lead] for lead in config.leads]
    if dropped is None and not any(present[lead] for lead in chosen):
        dropped = (
            "missing_leads",
            f"none of {' '.join(config.leads)} is there",
        )  # whatever the policy: nothing is left
    if dropped:
        return drop(*dropped, quality.values)
    whole = raw.dtype == np.int16 and steps.ratio(fs, config.sampling_rate) == 1
    if whole and all(present) and not config.bandpass and not config.notch:  # nothing to do
        same = config.leads == list(LEADS)
        return Prepared(signal_uv if same else signal_uv[:, chosen], quality.values, flags)
    signal = raw[chosen]
    signal[[not present[lead] for lead in chosen]] = 0
    signal = steps.fill_missing(signal, fs, max_gap_seconds=config.max_gap_seconds)
    signal = steps.resample(signal, fs, target=config.sampling_rate)
    try:
        signal = _filter(signal, config)
    except ValueError as error:  # SciPy's word for fewer samples than its padding
        text = f"{signal.shape[1]} samples at {config.sampling_rate} Hz are too few for the filters: {error}"
        return drop("too_short", text, quality.values)
    if signal.dtype != np.int16:
        np.rint(signal, out=signal)
        signal = np.clip(signal, -LIMIT_UV, LIMIT_UV, out=signal).astype(np.int16)
    return Prepared(np.ascontiguousarray(signal.T), quality.values, flags)


def preprocess(record: Record, encoder: HasPreprocess | Model) -> torch.Tensor:
    """Windows ready for an encoder or a model, exactly as the pipeline makes them.

    Parameters
    ----------
    record : Record
        As `ecglfm.read_record` or `as_record` gives it, any rate and lead order.
    encoder : module of `ecglfm.load_encoder` or `ecglfm.load_model`

    Returns
    -------
    Tensor of float32, shape (n_windows, n_leads, n_samples)
        What it is called with: millivolts, zeros in absent leads, or what its `input` makes of them. Windows do not
        overlap; a remainder is left out; a record shorter than one window is one window of its own length.

    Raises
    ------
    UserError
        The record cannot be used: leads, length or quality, by the encoder's own quality policy. Or an argument is
        something else.
    """
    import torch  # here, because the stages of this module do without it

    if not isinstance(encoder, HasPreprocess):
        encoder = getattr(encoder, "encoder", encoder)  # a module's modules are unseen by isinstance since Python 3.12
    if not isinstance(record, Record) or not isinstance(encoder, HasPreprocess):
        raise UserError(
            "preprocess takes what read_record or as_record gives and what load_encoder or load_model gives, "
            f"found {type(record).__name__} and {type(encoder).__name__}"
        )
    try:
        standard = record.standard()
    except RecordError as error:
        raise UserError(f"record cannot be used: {error}") from None
    signal, fs = to_microvolts(standard.signal), standard.sampling_rate
    prepared = prepare(signal, fs, encoder.preprocess, lead_mask=standard.lead_mask)
    if prepared.dropped:
        raise UserError(f"record cannot be used: {': '.join(prepared.dropped)}")
    read = as_read(Held([prepared.signal]), encoder)
    windows = read.windows(encoder.crop_samples)
    pieces = read.views(windows["row"].to_numpy(), windows["start"].to_numpy(), encoder.crop_samples)
    return torch.from_numpy(to_millivolts(pieces))  # not padded: the pipeline's padding is masked, which gives the same
