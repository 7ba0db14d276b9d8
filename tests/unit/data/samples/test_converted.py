"""Prepared recordings as an encoder with a contract reads them: whole ones first, then windows, padding last."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ecglfm.data.samples import Converted, ConvertedSignals, Held, Signals, to_millivolts

LENGTHS = [40, 11, 24]


class Halved:
    """Every second sample, minus the mean of the recording; of a window its every second sample minus the first."""

    config = SimpleNamespace(leads=["II"])
    factor = 2

    def __init__(self) -> None:
        self.recordings: list[int] = []

    def length(self, samples: int) -> int:
        return -(-samples // 2) // 2

    def record(self, signal_tl: np.ndarray) -> np.ndarray:
        self.recordings.append(len(signal_tl))
        halved = signal_tl[::2, 1:2].astype(np.float32)
        return halved - halved.mean()

    def window(self, piece_tl: np.ndarray) -> np.ndarray:
        return (piece_tl - piece_tl[0])[: len(piece_tl) // 2 * 2 : 2]


@pytest.fixture
def signals() -> list[np.ndarray]:
    return [np.random.default_rng(length).integers(-999, 999, (length, 2)).astype(np.int16) for length in LENGTHS]


@pytest.fixture
def on_disk(signals: list[np.ndarray], tmp_path) -> Signals:
    (tmp_path / "s").mkdir()
    np.save(tmp_path / "s/000.npy", np.concatenate(signals))
    offset = np.cumsum([0, *LENGTHS[:-1]])
    return Signals(pd.DataFrame({"source": "s", "shard": 0, "offset": offset, "n_samples": LENGTHS}), tmp_path)


def expected(signal: np.ndarray, start: int, length: int) -> np.ndarray:
    """Of a piece of so many samples, by hand: sample k is that of place 4 k, minus the piece's first."""
    kept = signal[::4, 1][start : start + length].astype(np.float64)
    whole = len(signal[::2]) // 2
    return kept[: max(0, whole - start)] - kept[0]


def test_pieces_are_cut_from_whole_recordings_and_padded_behind_their_own_steps(on_disk, signals) -> None:
    read = ConvertedSignals(on_disk, Halved())
    assert read.n_samples.tolist() == [10, 3, 6]
    assert (len(read), read.leads, read.dtype) == (3, 1, np.float32)
    windows = read.windows(4)
    assert windows.to_numpy().tolist() == [[0, 0, 4], [0, 4, 4], [1, 0, 3], [2, 0, 4]]
    crops = read.crops(windows["row"].to_numpy(), windows["start"].to_numpy(), 4)
    assert (crops.shape, crops.dtype) == ((4, 4, 1), np.float32)
    for crop, (row, start, valid) in zip(crops[..., 0], windows.to_numpy().tolist(), strict=True):
        np.testing.assert_allclose(crop[:valid], expected(signals[row], start, valid), rtol=1e-5, atol=1e-3)
        assert not crop[valid:].any()
    assert np.array_equal(to_millivolts(crops), crops.transpose(0, 2, 1))  # as they are


def test_a_window_sees_the_real_samples_that_it_is_told_of(on_disk, signals) -> None:
    (piece,) = ConvertedSignals(on_disk, Halved()).views(np.array([0]), np.array([2]), 6, np.array([3]))
    np.testing.assert_allclose(piece[:, 0], expected(signals[0], 2, 3), rtol=1e-5, atol=1e-3)
    (crop,) = ConvertedSignals(on_disk, Halved()).crops(np.array([0]), np.array([2]), 6, np.array([3]))
    assert np.array_equal(crop[:, 0], [*piece[:, 0], 0, 0, 0])


def test_a_recording_of_which_nothing_is_left_is_padding() -> None:
    read = Converted(Held([np.ones((2, 2), np.int16)]), Halved())
    assert read.windows(4).to_numpy().tolist() == [[0, 0, 0]]
    assert not read.crops(np.array([0]), np.array([1]), 4).any()


def test_windows_of_a_recording_cost_it_once(signals) -> None:
    contract = Halved()
    read = Converted(Held(signals), contract)
    windows = read.windows(4)
    for part in (windows.iloc[:1], windows.iloc[1:]):
        read.crops(part["row"].to_numpy(), part["start"].to_numpy(), 4)
    assert contract.recordings == LENGTHS


def test_on_disk_and_in_memory_are_the_same(on_disk, signals) -> None:
    rows, starts = np.array([2, 0, 2]), np.array([1, 3, 0])
    one, other = ConvertedSignals(on_disk, Halved()), Converted(Held(signals), Halved())
    assert np.array_equal(one.crops(rows, starts, 5), other.crops(rows, starts, 5))
    assert one.disk_order().tolist() == [0, 1, 2]
    assert one.read_ahead(np.array([0, 1])) == 1


def test_there_may_be_no_recording() -> None:
    read = Converted(Held([]), Halved())
    assert (len(read), len(read.windows(4))) == (0, 0)
