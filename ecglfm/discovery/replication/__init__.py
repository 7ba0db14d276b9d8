"""Replication: what a second cohort says of lead variants."""

from __future__ import annotations

from ecglfm.discovery.replication.figure import replication_figure
from ecglfm.discovery.replication.replication import Replicated, replicate, says
from ecglfm.discovery.replication.step import run_replication

__all__ = ["Replicated", "replicate", "replication_figure", "run_replication", "says"]
