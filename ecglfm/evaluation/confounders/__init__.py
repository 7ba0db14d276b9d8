"""What encoders and models know of device, site, year and noise, and what their numbers are without it."""

from __future__ import annotations

from ecglfm.evaluation.confounders.confounders import TOGETHER, run_confounders, run_probe_encoder
from ecglfm.evaluation.confounders.gather import gather_confounders
from ecglfm.evaluation.confounders.variables import read_variables

__all__ = ["TOGETHER", "gather_confounders", "read_variables", "run_confounders", "run_probe_encoder"]
