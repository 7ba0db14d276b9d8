"""Encoders against each other on one task, and whether their difference is more than chance."""

from __future__ import annotations

from ecglfm.evaluation.comparison.comparison import compare, differences, run_compare
from ecglfm.evaluation.comparison.contenders import contender
from ecglfm.evaluation.comparison.difference import margin, patient_spreads

__all__ = ["compare", "contender", "differences", "margin", "patient_spreads", "run_compare"]
