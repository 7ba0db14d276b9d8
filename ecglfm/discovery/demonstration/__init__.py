"""Genotypes of the synthetic patients, whose hearts they act on."""

from __future__ import annotations

from ecglfm.discovery.demonstration.planting import run_simulate

__all__ = ["run_simulate"]
