"""A linear probe learns the same, bit for bit, from vectors that the stage `embed` made and from its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm.app.embedding import run_embed_prepared
from ecglfm.config import UserError
from ecglfm.training.finetuning import linear_probe
from tests.unit.training.finetuning.test_finetune import fit, make_data, make_encoder


def test_vectors_of_the_stage_give_the_very_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    make_encoder(make_data(tmp_path / "data") / "encoder")
    data, output = tmp_path / "data", tmp_path / "out"
    records = pd.read_parquet(data / "records.parquet")
    records.drop(columns="split").to_parquet(data / "preprocess/s/000.parquet")

    def model(vectors: Path | None) -> list[bytes]:
        fit(data, output, "linear-s0-10pct", vectors=vectors, epochs=2)
        return [(output / name).read_bytes() for name in ("model.safetensors", "history.csv")]

    own = model(None)
    made = run_embed_prepared(data / "encoder", data / "preprocess/s", tmp_path / "embed/s.parquet")
    assert made == len(records)  # also of the test split, of which the probe takes none
    monkeypatch.setattr(linear_probe, "embed_windows", None)  # nothing is computed a second time
    assert model(tmp_path / "embed") == own
    content = bytearray((data / "encoder/encoder.safetensors").read_bytes())
    content[-1] ^= 1
    (data / "encoder/encoder.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="its vectors were made by other weights: run the stage `embed` again"):
        model(tmp_path / "embed")


def test_accumulated_batches_are_one_where_labels_are_unknown(tmp_path: Path) -> None:
    """Of a label 7 of 10 are unknown, so that batches have unlike numbers of known ones."""
    torch.set_num_threads(1)
    make_encoder(make_data(tmp_path) / "encoder")
    labels = pd.read_parquet(tmp_path / "labels.parquet")
    labels.loc[np.random.default_rng(0).random(len(labels)) < 0.7, "label.fast"] = np.nan
    labels.to_parquet(tmp_path / "labels.parquet")
    rates = {"lr": 1e-2, "head_lr": 1e-2, "calibration": "none"}
    one, four = (
        fit(tmp_path, tmp_path / f"out{count}", "linear-s0", batch_size=32 // count, accumulate=count, **rates)
        for count in (1, 4)
    )
    torch.testing.assert_close(four.head.weight, one.head.weight, rtol=0, atol=1e-6)
