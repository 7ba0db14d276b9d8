"""Recordings that stand in the data twice: found by fingerprints, verified by correlation, moved as one."""

from __future__ import annotations

from ecglfm.data.manifest.duplicates.clusters import Clusters, move_clusters, moved
from ecglfm.data.manifest.duplicates.recordings import ShardRecordings
from ecglfm.data.manifest.duplicates.search import duplicate_pairs

__all__ = ["Clusters", "ShardRecordings", "duplicate_pairs", "move_clusters", "moved"]
