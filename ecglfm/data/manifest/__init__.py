"""The stage `manifest`: whom a record belongs to, which split it is in, and what became of every other one."""

from __future__ import annotations

from ecglfm.data.manifest.amplitudes import amplitude_warnings
from ecglfm.data.manifest.duplicates import Clusters, ShardRecordings, duplicate_pairs
from ecglfm.data.manifest.ledger import dropped_because
from ecglfm.data.manifest.manifest import run_manifest
from ecglfm.data.manifest.overlaps import held_databases

__all__ = [
    "Clusters",
    "ShardRecordings",
    "amplitude_warnings",
    "dropped_because",
    "duplicate_pairs",
    "held_databases",
    "run_manifest",
]
