"""Recordings in memory are read as those on disk are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.data.samples import Held, Signals

LENGTHS = [5, 12]


def test_they_are_read_as_from_a_disk(tmp_path) -> None:
    signals = [np.arange(2 * length, dtype=np.int16).reshape(-1, 2) for length in LENGTHS]
    (tmp_path / "s").mkdir()
    np.save(tmp_path / "s/000.npy", np.concatenate(signals))
    records = pd.DataFrame({"source": "s", "shard": 0, "offset": [0, 5], "n_samples": LENGTHS})
    held, on_disk = Held(signals), Signals(records, tmp_path)
    assert held.n_samples.tolist() == LENGTHS
    pd.testing.assert_frame_equal(held.windows(4), on_disk.windows(4))
    rows, starts = np.array([1, 0, 1]), np.array([4, 3, 10])
    crops = held.crops(rows, starts, 4)
    assert crops.dtype == np.int16
    assert np.array_equal(crops, on_disk.crops(rows, starts, 4))
    assert crops[1].tolist() == [[6, 7], [8, 9], [0, 0], [0, 0]]
