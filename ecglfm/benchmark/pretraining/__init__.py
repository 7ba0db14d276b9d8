"""What a pretraining is worth, beside none and in other numbers."""

from __future__ import annotations

from ecglfm.benchmark.pretraining import precisions, pretraining

__all__ = ["precisions", "pretraining"]
