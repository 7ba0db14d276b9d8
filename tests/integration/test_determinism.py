"""The same data and seed give the same manifest and samples, whatever the number of shards and workers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.integration.conftest import copy_clone

pytestmark = pytest.mark.slow


def _prepared(results) -> dict[str, bytes]:
    """Samples of every record by its id, read where the manifest says they lie."""
    records = pd.read_parquet(results / "manifest/records.parquet")
    out = {}
    for row in records.itertuples():
        shard = np.load(results / f"preprocess/{row.source}/{row.shard:03d}.npy", mmap_mode="r")
        out[row.record_id] = shard[row.offset : row.offset + row.n_samples].tobytes()
    return out


def test_shards_and_workers_do_not_change_the_data(with_manifest, tmp_path: Path) -> None:
    """One shard of one worker against three of two workers, and then two in the same folder."""
    clone = copy_clone(with_manifest, tmp_path / "clone")
    one = pd.read_parquet(clone.results / "manifest/records.parquet")
    prepared = _prepared(clone.results)
    assert len(one) == len(prepared) == 120
    assert set(one["shard"]) == {0}
    workers = ["--set-threads", *(f"{rule}=2" for rule in ("synthesize_database", "ingest_shard", "preprocess_shard"))]
    shutil.rmtree(clone.results)
    for shards, options in ((3, workers), (2, [])):
        clone.edit("config/sources/demo-ptbxl.yaml", shards=shards)
        clone.snakemake("manifest", "--cores", "2", *options)
        again = pd.read_parquet(clone.results / "manifest/records.parquet")
        assert set(again["shard"]) == set(range(shards))
        place = ["shard", "offset"]
        pd.testing.assert_frame_equal(again.drop(columns=place), one.drop(columns=place))
        assert _prepared(clone.results) == prepared
