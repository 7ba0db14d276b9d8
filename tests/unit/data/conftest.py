"""Shards in which every sample tells its place, and a cohort of every kind of patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.data.samples.dataset import Signals


def _write_records(folder: Path, lengths: dict[str, list[int]], *, split: str = "train") -> pd.DataFrame:
    """Two shards; sample i of the whole file has the value i, lead k adds 10000 k: every crop tells its place."""
    records, offsets = [], {0: 0, 1: 0}
    for number, (patient, samples) in enumerate(lengths.items()):
        shard = number % 2
        for k, n_samples in enumerate(samples):
            records.append(
                {
                    "record_id": f"db/{patient}-{k}", "source": "db", "patient_id": f"db/{patient}", "split": split,
                    "sampling_rate": 100, "n_samples": n_samples, "shard": shard, "offset": offsets[shard],
                }
            )  # fmt: skip
            offsets[shard] += n_samples
    (folder / "db").mkdir(parents=True, exist_ok=True)
    for shard, total in offsets.items():
        samples = np.arange(total)[:, None] + 10000 * np.arange(2)[None, :]
        np.save(folder / "db" / f"{shard:03d}.npy", samples.astype(np.int16))
    return pd.DataFrame(records)


@pytest.fixture
def write_records():
    """`write_records(folder, {patient: [samples of each recording]}, split=...)` gives the manifest's rows."""
    return _write_records


@pytest.fixture
def cohort(tmp_path):
    """8 patients of two recordings, 4 of one long one, one of a single short, one of too short recordings."""
    lengths = {f"two{i}": [120 + i, 90 + i] for i in range(8)} | {f"one{i}": [100 + i] for i in range(4)}
    lengths |= {"short": [99], "tiny": [20, 30, 49]}
    records = _write_records(tmp_path, lengths).sample(frac=1, random_state=1).reset_index(drop=True)
    return records, Signals(records, tmp_path)
