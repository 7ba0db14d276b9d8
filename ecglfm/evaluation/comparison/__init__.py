"""Encoders against each other on one task, and whether their difference is more than chance."""

from __future__ import annotations

from ecglfm.evaluation.comparison.comparison import compare, differences, run_compare, verdict
from ecglfm.evaluation.comparison.contenders import contender, read_metrics, setting_of
from ecglfm.evaluation.comparison.difference import holm, margin, patient_spreads, training_spread

__all__ = [
    "compare",
    "contender",
    "differences",
    "holm",
    "margin",
    "patient_spreads",
    "read_metrics",
    "run_compare",
    "setting_of",
    "training_spread",
    "verdict",
]
