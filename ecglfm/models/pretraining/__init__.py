"""ECG-LFM's pretraining objective, which wraps an encoder: masks, codebook, losses."""

from __future__ import annotations

from ecglfm.models.pretraining.masking import draw_spans, most_hidden, rounding_of, trim_spans
from ecglfm.models.pretraining.objective import Noise, PretrainingObjective
from ecglfm.models.pretraining.quantizer import Quantized, perplexity
from ecglfm.models.pretraining.random import record_keys

__all__ = [
    "Noise",
    "PretrainingObjective",
    "Quantized",
    "draw_spans",
    "most_hidden",
    "perplexity",
    "record_keys",
    "rounding_of",
    "trim_spans",
]
