"""The stage `preprocess`: a recording from raw microvolts to what a model reads, and how good it is."""

from __future__ import annotations

from ecglfm.data.signals.encoder_input import EncoderInput
from ecglfm.data.signals.filters import bandpass_sections, extension, notch_sections, ratio
from ecglfm.data.signals.for_encoder import as_read, shown_mv, signals_for
from ecglfm.data.signals.input_steps import (
    STILL,
    LeadSum,
    apply_step,
    butterworth_sections,
    decimate_sections,
    fir_taps,
    limb_leads_anew,
    median_lengths,
)
from ecglfm.data.signals.preprocessing import OUTPUT_DTYPES, QUALITY, run_preprocess
from ecglfm.data.signals.quality import UNITS
from ecglfm.data.signals.recording import RATES, prepare, preprocess

__all__ = [
    "OUTPUT_DTYPES",
    "QUALITY",
    "RATES",
    "STILL",
    "UNITS",
    "EncoderInput",
    "LeadSum",
    "apply_step",
    "as_read",
    "bandpass_sections",
    "butterworth_sections",
    "decimate_sections",
    "extension",
    "fir_taps",
    "limb_leads_anew",
    "median_lengths",
    "notch_sections",
    "prepare",
    "preprocess",
    "ratio",
    "run_preprocess",
    "shown_mv",
    "signals_for",
]
