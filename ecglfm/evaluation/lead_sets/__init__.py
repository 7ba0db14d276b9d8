"""What a model is worth where only some of its leads were recorded."""

from __future__ import annotations

from ecglfm.evaluation.lead_sets.gather import gather_lead_sets
from ecglfm.evaluation.lead_sets.lead_sets import run_lead_sets

__all__ = ["gather_lead_sets", "run_lead_sets"]
