"""The same data and seed give the same manifest and samples, whatever the number of shards and workers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow


def _prepared(results) -> dict[str, bytes]:
    """Samples of every record by its id, read where the manifest says they lie."""
    records = pd.read_parquet(results / "manifest/records.parquet")
    out = {}
    for row in records.itertuples():
        shard = np.load(results / f"preprocess/{row.source}/{row.shard:03d}.npy", mmap_mode="r")
        out[row.record_id] = shard[row.offset : row.offset + row.n_samples].tobytes()
    return out


def test_shards_and_workers_do_not_change_the_data(clone) -> None:
    clone.snakemake("manifest", "--config", "results=one", "--cores", "1")
    clone.edit("config/sources/demo-ptbxl.yaml", shards=3)
    clone.snakemake("manifest", "--config", "results=three", "--cores", "2", "--set-threads", "ingest_shard=2", "preprocess_shard=2", "synthesize_database=2")  # fmt: skip
    one, three = (pd.read_parquet(clone.root / name / "manifest/records.parquet") for name in ("one", "three"))
    assert sorted(three["shard"].unique()) == [0, 1, 2]
    assert sorted(one["shard"].unique()) == [0]
    place = ["shard", "offset"]
    pd.testing.assert_frame_equal(one.drop(columns=place), three.drop(columns=place))
    assert len(one) == 120
    assert _prepared(clone.root / "one") == _prepared(clone.root / "three")


def test_changed_shards_rerun_cleanly_in_one_folder(clone) -> None:
    clone.edit("config/sources/demo-ptbxl.yaml", shards=3)
    clone.snakemake("manifest")
    before = _prepared(clone.results)
    clone.edit("config/sources/demo-ptbxl.yaml", shards=2)
    clone.snakemake("manifest")
    assert _prepared(clone.results) == before
