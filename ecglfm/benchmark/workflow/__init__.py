"""What a dry run of the workflow takes."""

from __future__ import annotations

from ecglfm.benchmark.workflow import plan, plan_large

__all__ = ["plan", "plan_large"]
