"""Shards whose tables name leads that a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ecglfm.data.samples import lead_metadata
from ecglfm.provenance import write_parquet


def name_leads(shard: Path, leads: Sequence[str]) -> None:
    """Have the table beside a shard name its leads, as `preprocess` does."""
    write_parquet(shard.with_suffix(".parquet"), pd.DataFrame({"record_id": []}), lead_metadata(leads))
