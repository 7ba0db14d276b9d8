"""Genotypes of the synthetic patients, whose hearts they act on."""

from __future__ import annotations

from ecglfm.discovery.demonstration.planting import PLANTED, Planted, run_simulate

__all__ = ["PLANTED", "Planted", "run_simulate"]
