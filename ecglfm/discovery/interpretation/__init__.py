"""What of an ECG makes a feature high or low."""

from __future__ import annotations

from ecglfm.discovery.interpretation.interpretation import run_interpretation

__all__ = ["run_interpretation"]
