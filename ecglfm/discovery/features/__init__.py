"""ECG-derived features (EDFs) of people, and the tables that genetic programs read of them."""

from __future__ import annotations

from ecglfm.discovery.features.features import run_features
from ecglfm.discovery.features.missing import outcome_numbers
from ecglfm.discovery.features.people import run_people
from ecglfm.discovery.features.vectors import read_table

__all__ = ["outcome_numbers", "read_table", "run_features", "run_people"]
