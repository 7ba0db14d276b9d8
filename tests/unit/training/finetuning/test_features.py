"""Vectors of a frozen encoder are computed once, and never read where they are not those."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from ecglfm.training.finetuning import linear_probe
from ecglfm.training.finetuning.features import cached
from tests.unit.hashes import hashes
from tests.unit.training.finetuning.test_finetune import fit, make_data, make_encoder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    make_encoder(make_data(tmp_path / "data") / "encoder")
    return tmp_path / "data"


def test_vectors_are_computed_once_for_all_fits(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, embed = [], linear_probe.embed_windows
    monkeypatch.setattr(linear_probe, "embed_windows", lambda *args: calls.append(1) or embed(*args))

    def weights(name: str, features: Path | None) -> dict[str, torch.Tensor]:
        fit(data, tmp_path / "out", name, features=features, epochs=1)
        return load_file(tmp_path / "out" / "model.safetensors")

    first = weights("linear-s0", tmp_path / "embed")
    again = weights("linear-s0", tmp_path / "embed")
    weights("linear-s0-10pct", tmp_path / "embed")
    weights("linear-s1", tmp_path / "embed")
    assert len(calls) == 1
    assert all(torch.equal(again[name], value) for name, value in first.items())
    alone = weights("linear-s0", None)
    assert all(torch.equal(alone[name], value) for name, value in first.items())
    records = pd.read_parquet(data / "records.parquet")
    samples = np.load(data / "preprocess/s/000.npy")
    length = int(records["n_samples"][3])
    samples[3 * length : 4 * length] *= -1
    np.save(data / "preprocess/s/000.npy", samples)
    records.loc[3, "sha256"] = hashes([samples[3 * length : 4 * length]])[0]
    records.to_parquet(data / "records.parquet")
    weights("linear-s0", tmp_path / "embed")
    assert len(calls) == 3
    assert len(list((tmp_path / "embed").iterdir())) == 2  # one for each set of records
    encoder = data / "encoder" / "encoder.safetensors"
    content = bytearray(encoder.read_bytes())
    content[-1] ^= 1
    encoder.write_bytes(content)
    weights("linear-s0", tmp_path / "embed")
    assert len(calls) == 4
    assert len(list((tmp_path / "embed").iterdir())) == 1  # nothing half-written stays, nor of the other weights


def test_only_files_of_other_weights_are_removed(tmp_path: Path) -> None:
    """Also under a job that reads one of them, or writes one at the same time."""
    vectors = np.arange(12, dtype=np.float32).reshape(6, 2)
    for key in ("old-a", "old-b", "new-a"):
        np.save(tmp_path / f"{key}.npy", vectors)
    (tmp_path / ".old-c.17.tmp.npy").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    reader = np.load(tmp_path / "old-a.npy", mmap_mode="r")
    cached(tmp_path, "new-b", (6, 2), lambda: vectors + 1)
    assert {path.name for path in tmp_path.iterdir()} == {
        "new-a.npy", "new-b.npy", ".old-c.17.tmp.npy", "notes.txt",
    }  # fmt: skip
    np.testing.assert_array_equal(reader, vectors)
    np.testing.assert_array_equal(cached(tmp_path, "old-a", (6, 2), lambda: vectors + 2), vectors + 2)


def test_a_file_that_another_job_removes_first_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two fits that made vectors with a new encoder both find the old file."""
    vectors = np.zeros((6, 2), np.float32)
    np.save(tmp_path / "old-a.npy", vectors)
    glob = Path.glob

    def found_then_removed(self: Path, pattern: str) -> list[Path]:
        found = list(glob(self, pattern))
        (tmp_path / "old-a.npy").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "glob", found_then_removed)
    cached(tmp_path, "new-a", (6, 2), lambda: vectors)
    assert [path.name for path in tmp_path.iterdir()] == ["new-a.npy"]


@pytest.mark.parametrize("spoil", ["cut", "shape", "type", "none"])
def test_a_file_that_is_not_whole_is_made_again(tmp_path: Path, spoil: str) -> None:
    good = np.arange(12, dtype=np.float32).reshape(6, 2)
    path = tmp_path / "key.npy"
    assert cached(tmp_path, "key", (6, 2), lambda: good) is good
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    elif spoil in ("shape", "type"):
        np.save(path, good[1:] if spoil == "shape" else good.astype(np.float64))
    made = cached(tmp_path, "key", (6, 2), lambda: good + 1)
    np.testing.assert_array_equal(made, good if spoil == "none" else good + 1)
    shutil.rmtree(tmp_path)
