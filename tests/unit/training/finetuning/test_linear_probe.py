"""A linear probe learns the same, bit for bit, from vectors that the stage `embed` made and from its own."""

from __future__ import annotations

from pathlib import Path

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
    made = run_embed_prepared(data / "encoder", [data / "preprocess/s/000.parquet"], tmp_path / "embed/s.parquet")
    assert made == len(records)  # also of the test split, of which the probe takes none
    monkeypatch.setattr(linear_probe, "embed_windows", None)  # nothing is computed a second time
    assert model(tmp_path / "embed") == own
    content = bytearray((data / "encoder/encoder.safetensors").read_bytes())
    content[-1] ^= 1
    (data / "encoder/encoder.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="its vectors were made by other weights: run the stage `embed` again"):
        model(tmp_path / "embed")
