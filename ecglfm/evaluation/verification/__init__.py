"""The stage `verify`: whether a frozen encoder tells people apart who were in no training."""

from __future__ import annotations

from ecglfm.evaluation.verification.rates import MEASURES, Scores, error_rates, measure, resampled_rates
from ecglfm.evaluation.verification.risk import sharing_risks
from ecglfm.evaluation.verification.verify import run_verify

__all__ = ["MEASURES", "Scores", "error_rates", "measure", "resampled_rates", "run_verify", "sharing_risks"]
