"""Small synthetic databases for tests."""

from __future__ import annotations

from pathlib import Path

from ecglfm.config import SourceConfig, SourceSlice
from ecglfm.sources.synthesis.database import run_synthesize


def slice_of(root: Path, layout: str = "ptbxl", **config) -> SourceSlice:
    content = {"patients": 20, "records_per_patient": 2, "seed": 3} | config
    return SourceSlice(source="s", config=SourceConfig(kind="synthetic", layout=layout, root=str(root), **content))


def make(root: Path, workers: int = 1, **config) -> SourceSlice:
    slice_ = slice_of(root, **config)
    run_synthesize(slice_, root, workers)
    return slice_
