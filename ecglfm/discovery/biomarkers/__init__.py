"""Intervals, axes and voltages of people's ECGs, and what features have to do with them."""

from __future__ import annotations

from ecglfm.discovery.biomarkers.biomarkers import run_biomarkers

__all__ = ["run_biomarkers"]
