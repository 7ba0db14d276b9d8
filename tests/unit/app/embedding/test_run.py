"""The stage `embed`: the same files, however a database is cut into shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from ecglfm.app.embedding import run_embed_prepared
from ecglfm.config import UserError
from tests.unit.training.finetuning.test_finetune import make_data, make_encoder


def test_a_prepared_database_is_the_same_whatever_its_shards(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = make_data(tmp_path / "data")
    encoder = make_encoder(tmp_path / "encoder")
    records = pd.read_parquet(data / "records.parquet").drop(columns="split")
    samples = np.load(data / "preprocess/s/000.npy").reshape(len(records), -1, 3)
    for name, parts in (("one", [slice(None)]), ("two", [slice(90, None), slice(0, 90)])):
        for shard, part in enumerate(parts):
            folder = tmp_path / name / "s"
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / f"{shard:03d}.npy", samples[part].reshape(-1, 3))
            own = records[part].assign(shard=shard)
            own.assign(offset=own["offset"] - own["offset"].min()).to_parquet(folder / f"{shard:03d}.parquet")
        if name == "one":  # of an earlier run with more shards
            own.assign(record_id="earlier").to_parquet(folder / "001.parquet")
        made = tmp_path / f"{name}.parquet"
        assert run_embed_prepared(encoder, folder, made, shards=len(parts)) == len(records)
    for ending in ("parquet", "windows.parquet"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    assert pq.read_metadata(tmp_path / "one.parquet").num_rows == len(records)
    with pytest.raises(UserError, match="two/s: 2 of 3 shards are there; run the stage two"):
        run_embed_prepared(encoder, tmp_path / "two/s", tmp_path / "three.parquet", shards=3)
