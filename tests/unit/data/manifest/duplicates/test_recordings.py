"""Recordings that the audit compares, read in any order by any number of workers."""

import numpy as np

from ecglfm.data.manifest.duplicates.recordings import ShardRecordings
from ecglfm.data.manifest.duplicates.search import duplicate_pairs
from tests.unit.data.manifest.duplicates.planted import through_400_hz
from tests.unit.data.recordings_in_memory import Given, beating, frame, pieces_of


def test_the_result_does_not_depend_on_workers_or_the_order_of_reading(tmp_path, monkeypatch):
    signals = [beating(seed) for seed in range(12)] + [beating(3)[400:], through_400_hz(beating(5))]
    records = frame(signals, ["train"] * 12 + ["test"] * 2)
    (tmp_path / "s").mkdir()
    for shard in range(2):
        np.save(tmp_path / "s" / f"{shard:03d}.npy", np.concatenate(signals[shard::2]))
    lengths = [[0, *np.cumsum([len(s) for s in signals[shard::2]])] for shard in range(2)]
    records["shard"] = [row % 2 for row in range(len(signals))]
    records["offset"] = [lengths[row % 2][row // 2] for row in range(len(signals))]
    recordings = ShardRecordings(pieces_of(records), tmp_path)
    assert np.array_equal(recordings[13], signals[13])
    assert recordings.reading_order().tolist() == [*range(0, 14, 2), *range(1, 14, 2)]
    one = duplicate_pairs(pieces_of(records), recordings, duplicate_correlation=0.98)
    monkeypatch.setattr("ecglfm.data.manifest.duplicates.fingerprints._CHUNK", 4)  # recordings: 14 are four tasks
    monkeypatch.setattr("ecglfm.data.manifest.duplicates.search._CHUNK", 1)  # pairs to compare
    two = duplicate_pairs(pieces_of(records), recordings, duplicate_correlation=0.98, workers=2)
    assert one == two == duplicate_pairs(pieces_of(records), Given(signals), duplicate_correlation=0.98)
    assert [(pair["a"], pair["b"]) for pair in one] == [("s/00003", "s/00012"), ("s/00005", "s/00013")]
