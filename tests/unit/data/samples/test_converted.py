"""Prepared recordings as an encoder with a contract reads them: whole ones first, then windows, padding last."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import InputConfig, PreprocessConfig, parse
from ecglfm.data.samples import Converted, ConvertedSignals, Held, Signals, to_millivolts
from ecglfm.data.signals import EncoderInput

LENGTHS = [40, 11, 24]


class Halved:
    """Every second sample, minus the mean of the recording; of a window its every second sample minus the first."""

    config = SimpleNamespace(leads=["II"], sampling_rate=25)
    factor, rate, reach = 2, 100, math.inf

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


def test_a_window_at_the_end_sees_no_more_where_nobody_counts_its_samples() -> None:
    """Of 43 samples 22 are left by the recording's step and 11 by the window's; of 41, 21 and 10: one is in no window."""
    signals = [np.arange(2 * samples, dtype=np.int16).reshape(-1, 2) for samples in (43, 41)]
    contract, seen = Halved(), list[int]()
    contract.window = lambda piece_tl: seen.append(len(piece_tl)) or piece_tl[: len(piece_tl) // 2 * 2 : 2]
    read = Converted(Held(signals), contract)
    counts = np.array([3, 2])
    for valid in (None, counts, counts + 4):
        assert [len(piece) for piece in read.views(np.array([0, 1]), np.array([8, 8]), 9, valid)] == [3, 2]
    assert seen == 3 * [6, 4]


FILTERED = [
    {"step": "resample", "rate": 50, "ends": "zeros"},
    {"step": "butterworth", "low": 0.5, "high": 20, "order": 2},
    {"step": "median_baseline", "seconds": [0.2, 0.6]},
    {"step": "pad", "seconds": 10, "where": "both"},
]


def contract_of(*steps: dict[str, object]) -> EncoderInput:
    content = {"leads": ["V1", "II"], "sampling_rate": 25, "window_seconds": 7, "record": list(steps),
               "window": [{"step": "decimate", "factor": 2}]}  # fmt: skip
    prepared = PreprocessConfig(sampling_rate=100, leads=["II", "V1"])
    return EncoderInput(parse(InputConfig, content, "input"), prepared)


def in_windows(
    contract: EncoderInput, signals: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray], list[int]]:
    """Windows as they are read, as whole recordings give them, and the prepared samples that were converted."""
    whole = [contract.record(signal) for signal in signals]
    record, seen = contract.record, list[int]()
    contract.record = lambda signal_tl: seen.append(len(signal_tl)) or record(signal_tl)
    read = Converted(Held(signals), contract)
    windows = read.windows(175).to_numpy()
    expected = [contract.window(whole[row][2 * start : 2 * (start + valid)]) for row, start, valid in windows]
    return read.views(windows[:, 0], windows[:, 1], 175), expected, seen


def test_of_a_long_recording_stretches_are_made_with_what_filters_reach() -> None:
    rng = np.random.default_rng(0)
    signals = [rng.integers(-2000, 2000, (seconds * 100 + 13, 2)).astype(np.int16) for seconds in (900, 1500, 899)]
    signals[2] = signals[2][:-13]
    found, expected, seen = in_windows(contract_of(*FILTERED), signals)
    assert seen == [367 * 100, 427 * 100, 36013, 367 * 100, 427 * 100, 427 * 100, 427 * 100, 36013, 89900]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6, rtol=0)
    (behind,) = Converted(Held(signals), contract_of(*FILTERED)).views(np.array([1]), np.array([99_999]), 175)
    assert behind.shape == (0, 2)


@pytest.mark.parametrize("step", [{"step": "standardize"}, {"step": "min_max", "over": "all"}])
def test_a_step_that_needs_all_of_a_recording_is_given_it(step: dict[str, object]) -> None:
    signals = [np.random.default_rng(0).integers(-2000, 2000, (120_000, 2)).astype(np.int16)]
    found, expected, seen = in_windows(contract_of(*FILTERED, step), signals)
    assert seen == [120_000]
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


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
