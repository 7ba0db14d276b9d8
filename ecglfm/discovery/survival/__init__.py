"""Cox models of the time to an event on features."""

from __future__ import annotations

from ecglfm.discovery.survival.survival import run_survival

__all__ = ["run_survival"]
