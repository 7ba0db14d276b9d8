"""Replication: what a second cohort says of lead variants."""

from __future__ import annotations

from ecglfm.discovery.replication.step import run_replication

__all__ = ["run_replication"]
