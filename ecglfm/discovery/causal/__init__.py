"""Mendelian randomization: whether what an EDF stands for changes the risk of a disease."""

from __future__ import annotations

from ecglfm.discovery.causal.instruments import read_people
from ecglfm.discovery.causal.step import run_mr

__all__ = ["read_people", "run_mr"]
