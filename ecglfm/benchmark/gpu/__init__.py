"""What a GPU takes for a step: counted without one, and all that is wanted of a new one."""

from __future__ import annotations

from ecglfm.benchmark.gpu import candidates, gpu, roofline

__all__ = ["candidates", "gpu", "roofline"]
