"""How often statistics hold, where the truth is known, and what the bootstrap takes."""

from __future__ import annotations

from ecglfm.benchmark.statistics import bootstrap, comparisons, conformal, intervals, thresholds

__all__ = ["bootstrap", "comparisons", "conformal", "intervals", "thresholds"]
