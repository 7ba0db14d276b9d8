"""Replication: what a second cohort says of lead variants."""

from __future__ import annotations

from ecglfm.discovery.replication.figure import replication_figure
from ecglfm.discovery.replication.replication import Replicated, replicate, says

__all__ = ["Replicated", "replicate", "replication_figure", "says"]
