"""`evaluate_on`: a finished model on a cohort that is new to it, as it is and adapted by some local records."""

from __future__ import annotations

from ecglfm.evaluation.transport.transport import run_transport

__all__ = ["run_transport"]
