"""Objectives of pretraining, each of which wraps an encoder; `objective.py` says what one must offer."""

from __future__ import annotations

from ecglfm.models.pretraining.blocks import hidden_of
from ecglfm.models.pretraining.cpc import Cpc
from ecglfm.models.pretraining.jepa import Jepa
from ecglfm.models.pretraining.mae import Mae
from ecglfm.models.pretraining.masked_codes import MaskedCodes, Noise
from ecglfm.models.pretraining.objective import Objective, make_objective, objective_class
from ecglfm.models.pretraining.quantizer import Quantized, perplexity
from ecglfm.models.pretraining.random import record_keys, substream, uniform
from ecglfm.models.pretraining.report_alignment import ReportAlignment
from ecglfm.models.pretraining.signal_statistics import SignalStatistics

__all__ = [
    "Cpc",
    "Jepa",
    "Mae",
    "MaskedCodes",
    "Noise",
    "Objective",
    "Quantized",
    "ReportAlignment",
    "SignalStatistics",
    "hidden_of",
    "make_objective",
    "objective_class",
    "perplexity",
    "record_keys",
    "substream",
    "uniform",
]
