"""The data stages and the loaders that read what they made: time, peak memory, and whether copies are found."""

from __future__ import annotations

from ecglfm.benchmark.data import (
    audit,
    cardiosoft,
    index_tables,
    ingest,
    loader,
    memory,
    preprocess,
    shuffle,
    synthesize,
)

__all__ = ["audit", "cardiosoft", "index_tables", "ingest", "loader", "memory", "preprocess", "shuffle", "synthesize"]
