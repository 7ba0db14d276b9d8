"""Mendelian randomization: whether what an EDF stands for changes the risk of a disease."""

from __future__ import annotations

from ecglfm.discovery.causal.estimators import Instruments, estimates, leave_one_out, main_estimate
from ecglfm.discovery.causal.figure import forest_figure, pairs_figure, scatter_figure
from ecglfm.discovery.causal.instruments import read_people
from ecglfm.discovery.causal.outcomes import outcome_associations
from ecglfm.discovery.causal.people import People
from ecglfm.discovery.causal.randomization import Randomization, few, randomize
from ecglfm.discovery.causal.step import run_mr

__all__ = [
    "Instruments",
    "People",
    "Randomization",
    "estimates",
    "few",
    "forest_figure",
    "leave_one_out",
    "main_estimate",
    "outcome_associations",
    "pairs_figure",
    "randomize",
    "read_people",
    "run_mr",
    "scatter_figure",
]
