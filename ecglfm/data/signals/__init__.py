"""The stage `preprocess`: a recording from raw microvolts to what a model reads, and how good it is."""

from __future__ import annotations

from ecglfm.data.signals.encoder_input import EncoderInput
from ecglfm.data.signals.filters import bandpass_sections, notch_sections, ratio
from ecglfm.data.signals.preprocessing import OUTPUT_DTYPES, QUALITY, run_preprocess
from ecglfm.data.signals.quality import UNITS
from ecglfm.data.signals.recording import RATES, check_filters, prepare, preprocess

__all__ = [
    "OUTPUT_DTYPES",
    "QUALITY",
    "RATES",
    "UNITS",
    "EncoderInput",
    "bandpass_sections",
    "check_filters",
    "notch_sections",
    "prepare",
    "preprocess",
    "ratio",
    "run_preprocess",
]
