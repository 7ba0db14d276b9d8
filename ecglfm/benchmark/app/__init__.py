"""What a model answers: recordings to answers on disk and by HTTP, and which ones it leaves undecided."""

from __future__ import annotations

from ecglfm.benchmark.app import outliers, predict, serve

__all__ = ["outliers", "predict", "serve"]
