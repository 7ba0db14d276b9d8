"""The stage `labels`: which records carry which label, by each database's own words."""

from __future__ import annotations

from ecglfm.data.labels.files import AS_WRITTEN
from ecglfm.data.labels.labels import read_left_out, run_labels
from ecglfm.data.labels.preview import describe
from ecglfm.data.labels.preview_pairs import describe_pairs
from ecglfm.data.labels.reasons import left_out
from ecglfm.data.labels.source_targets import SourceTargets, target_columns

__all__ = [
    "AS_WRITTEN",
    "SourceTargets",
    "describe",
    "describe_pairs",
    "left_out",
    "read_left_out",
    "run_labels",
    "target_columns",
]
