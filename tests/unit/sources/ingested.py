"""Index and ingest of a small source, held to the law of the ledger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import SourceSlice
from ecglfm.data.ingest import run_ingest
from ecglfm.sources import open_source
from ecglfm.sources.base import write_index


def ingested(config: SourceSlice, folder: Path) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Microvolts (samples, 12) of each record, in the order of the index, and the dropped rows of the ledger."""
    index, output = folder / f"{config.source}.parquet", folder / "out/000.npy"
    write_index(index, open_source(config).recordings(), slice_=config)
    run_ingest(config, index, 0, 1, output)
    records = pd.read_parquet(output.with_suffix(".parquet"))
    ledger = pd.read_parquet(output.with_suffix(".ledger.parquet"))
    dropped = ledger[ledger.action == "dropped"]
    assert sorted([*records.record_id, *dropped.record_id]) == sorted(pd.read_parquet(index).record_id)
    samples = np.load(output)
    places = zip(records.record_id, records.offset, records.n_samples, strict=True)
    return {record: samples[offset : offset + n] for record, offset, n in places}, dropped
