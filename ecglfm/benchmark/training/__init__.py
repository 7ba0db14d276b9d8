"""What trainings take: a step and its parts beside a matrix product, a checkpoint, a probe."""

from __future__ import annotations

from ecglfm.benchmark.training import checkpoint, encoders, probe, train

__all__ = ["checkpoint", "encoders", "probe", "train"]
