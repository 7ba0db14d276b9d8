"""Samples on disk: written record by record, memory-mapped, and held to the SHA-256 of their tables."""

from __future__ import annotations

from ecglfm.data.samples.converted import Converted, ConvertedSignals, Store
from ecglfm.data.samples.dataset import (
    LOCATION,
    Signals,
    cut_windows,
    lead_metadata,
    load_records,
    padded,
    to_millivolts,
)
from ecglfm.data.samples.held import Held
from ecglfm.data.samples.integrity import SAMPLED, check_samples, check_shards, says_otherwise, verify_data
from ecglfm.data.samples.reads import check_reads
from ecglfm.data.samples.writer import ArrayWriter, array_writer, sole_writer, write_rows

__all__ = [
    "LOCATION",
    "SAMPLED",
    "ArrayWriter",
    "Converted",
    "ConvertedSignals",
    "Held",
    "Signals",
    "Store",
    "array_writer",
    "check_reads",
    "check_samples",
    "check_shards",
    "cut_windows",
    "lead_metadata",
    "load_records",
    "padded",
    "says_otherwise",
    "sole_writer",
    "to_millivolts",
    "verify_data",
    "write_rows",
]
