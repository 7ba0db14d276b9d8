"""Intervals, axes and voltages of people's ECGs, and what features have to do with them."""

from __future__ import annotations

from ecglfm.discovery.biomarkers.biomarkers import run_biomarkers
from ecglfm.discovery.biomarkers.measure import NAMES, measure_biomarkers

__all__ = ["NAMES", "measure_biomarkers", "run_biomarkers"]
