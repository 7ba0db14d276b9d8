"""Vectors: each window's own and over its real samples alone; tables of them are never taken for others."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from ecglfm.config import UserError
from ecglfm.data.samples import Signals, cut_windows
from ecglfm.models.bundle import load_encoder
from ecglfm.training.vectors import embed_windows, read_vectors, vector_columns, weights_hash, write_vectors
from tests.unit.training.finetuning.test_finetune import make_encoder


class Encoder(nn.Module):
    """Its vector of a window: mean of each lead over the real samples, millivolts; dropout would show."""

    crop_samples, embedding_dim = 4, 2

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.9)
        self.scale = nn.Parameter(torch.ones(1))
        self.masked: list[bool] = []

    def embed(self, x_bln: Tensor, mask_bn: Tensor | None = None) -> Tensor:
        self.masked.append(mask_bn is not None)
        real = torch.ones_like(x_bln[:, 0], dtype=torch.bool) if mask_bn is None else mask_bn
        summed = (self.dropout(x_bln) * real[:, None]).sum(dim=2)
        return self.scale * summed / real.sum(dim=1, keepdim=True)


class Samples:
    """A sample is 1000 times its record and the place in it, uV; the second lead the negative of the first."""

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        first = 1000 * rows[:, None] + starts[:, None] + np.arange(length)
        return np.stack([first, -first], axis=2).astype(np.int16)


def test_each_window_has_its_own_vector_in_order() -> None:
    encoder = Encoder().train()
    row = np.arange(300) % 7  # more than are embedded together
    windows = pd.DataFrame({"row": row, "start": np.arange(300) % 11, "valid": 4})
    windows.loc[[5, 299], "valid"] = 2
    vectors = embed_windows(encoder, Samples(), windows)  # type: ignore[arg-type]
    middle = np.where(windows["valid"] == 4, 1.5, 0.5)  # mean of places 0 to 3, and of 0 and 1
    wanted = (1000 * row + windows["start"] + middle) / 1000
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, np.stack([wanted, -wanted], axis=1), rtol=1e-5)
    assert encoder.masked == [False] * 5 + [True]  # a mask would change the last digit of what goes beside
    assert encoder.training  # as it was
    assert encoder.scale.grad is None
    assert embed_windows(encoder, Samples(), windows[:0]).shape == (0, 2)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources of prepared records of 1 to 3 windows, and one of half of one; an encoder and its vectors of them."""
    folder = tmp_path_factory.mktemp("vectors")
    torch.set_num_threads(1)
    make_encoder(folder / "encoder")
    rng = np.random.default_rng(0)
    lengths = np.array([700, 250, 300, 900, 130, 250])  # a window is 250 samples
    records = pd.DataFrame(
        {
            "record_id": [f"s/{k}" for k in "dacbe"] + ["t/a"], "patient_id": [f"s/p{k}" for k in range(5)] + ["t/p"],
            "source": ["s"] * 5 + ["t"], "shard": 0, "n_samples": lengths, "sampling_rate": 100,
            "offset": [*(np.cumsum(lengths[:5]) - lengths[:5]), 0], "sha256": [f"{k}" * 64 for k in range(6)],
        }
    )  # fmt: skip
    for source, total in (("s", lengths[:5].sum()), ("t", 250)):
        (folder / "preprocess" / source).mkdir(parents=True)
        np.save(folder / "preprocess" / source / "000.npy", rng.normal(0, 500, (total, 3)).astype(np.int16))
    records.to_parquet(folder / "records.parquet")
    encoder = load_encoder(folder / "encoder")
    for source, part in records.groupby("source"):
        part = part.sort_values("record_id", ignore_index=True)
        signals = Signals(part, folder / "preprocess")
        write_vectors(folder / f"embed/{source}.parquet", encoder, weights_hash(folder / "encoder"), part, signals)
    return folder


def read(made: Path, embed: Path, records: pd.DataFrame, made_by: str | None = None) -> np.ndarray:
    windows = cut_windows(records["n_samples"].to_numpy(), 250)
    return read_vectors(
        embed, load_encoder(made / "encoder"), made_by or weights_hash(made / "encoder"), records, windows
    )


def test_vectors_come_back_whatever_the_order_and_choice_of_records(made: Path) -> None:
    encoder, whole = load_encoder(made / "encoder"), pd.read_parquet(made / "records.parquet")
    for rows in ([0, 1, 2, 3, 4, 5], [5, 3, 0], [4]):
        records = whole.iloc[rows].reset_index(drop=True)
        signals = Signals(records, made / "preprocess")
        windows = signals.windows(250)
        expected = embed_windows(encoder, signals, windows)
        assert len(expected) == {6: 9, 3: 6, 1: 1}[len(rows)]
        found = read(made, made / "embed", records)  # a smaller batch may round the last digit otherwise
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_record_has_the_mean_of_its_windows_in_its_sources_table(made: Path) -> None:
    table, windows = (pd.read_parquet(made / f"embed/s.{ending}") for ending in ("parquet", "windows.parquet"))
    names = vector_columns(16)
    assert list(table) == ["record", "patient_id", *names]
    assert table[["record", "patient_id"]].to_numpy().tolist() == [
        ["s/a", "s/p1"], ["s/b", "s/p3"], ["s/c", "s/p2"], ["s/d", "s/p0"], ["s/e", "s/p4"],
    ]  # fmt: skip
    assert windows.loc[windows["record"] == "s/b", "start"].tolist() == [0, 250, 500]
    means = windows.groupby("record")[names].mean()
    np.testing.assert_allclose(table[names].to_numpy(), means.to_numpy(), rtol=1e-5, atol=1e-7)
    samples = np.load(made / "preprocess/s/000.npy")[700:950]  # s/a
    with torch.inference_mode():
        alone = load_encoder(made / "encoder").embed(torch.from_numpy(samples.T[None].astype(np.float32) / 1000))
    np.testing.assert_allclose(table[names].to_numpy()[0], alone[0].numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("missing", "t.windows.parquet: no such file; make it with the stage `embed`"),
        ("weights", "s.windows.parquet: its vectors were made by other weights: run the stage `embed` again"),
        ("samples", "t.windows.parquet: its vectors of t/a are of other samples"),
        ("record", "s.windows.parquet: has no vectors of s/z"),
        ("longer", "s.windows.parquet: has no vectors of s/e"),
    ],
)
def test_other_vectors_are_refused(made: Path, tmp_path: Path, spoil: str, message: str) -> None:
    shutil.copytree(made / "embed", tmp_path / "embed")
    records = pd.read_parquet(made / "records.parquet")
    if spoil == "missing":
        (tmp_path / "embed/t.windows.parquet").unlink()
    records.loc[5, "sha256"] = "0" * 64 if spoil == "samples" else records.loc[5, "sha256"]
    records.loc[1, "record_id"] = "s/z" if spoil == "record" else records.loc[1, "record_id"]
    records.loc[4, "n_samples"] = 500 if spoil == "longer" else records.loc[4, "n_samples"]
    with pytest.raises(UserError) as caught:
        read(made, tmp_path / "embed", records, "other" if spoil == "weights" else None)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_source_without_a_record_has_tables_without_a_row(made: Path, tmp_path: Path) -> None:
    records = pd.read_parquet(made / "records.parquet")[:0]
    write_vectors(tmp_path / "x.parquet", load_encoder(made / "encoder"), "w", records, Signals(records, tmp_path))
    for ending in ("parquet", "windows.parquet"):
        assert pd.read_parquet(tmp_path / f"x.{ending}").shape == (0, 18 if ending == "parquet" else 19)
