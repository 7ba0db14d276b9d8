"""The stage `preprocess`: a recording from raw microvolts to what a model reads, and how good it is."""

from __future__ import annotations

from ecglfm.data.signals.preprocessing import OUTPUT_DTYPES, QUALITY, run_preprocess
from ecglfm.data.signals.quality import UNITS
from ecglfm.data.signals.recording import check_filters, prepare, preprocess

__all__ = ["OUTPUT_DTYPES", "QUALITY", "UNITS", "check_filters", "prepare", "preprocess", "run_preprocess"]
