"""Cox models of the time to an event on features."""

from __future__ import annotations

from ecglfm.discovery.survival.cox import CoxFit, fit_cox, proportionality
from ecglfm.discovery.survival.survival import run_survival

__all__ = ["CoxFit", "fit_cox", "proportionality", "run_survival"]
