"""Planted copies of every kind are found, and nothing in recordings that only look alike."""

import csv
import itertools

import numpy as np
import pytest
import wfdb
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt

import ecglfm
from ecglfm.data.manifest.duplicates.candidates import MOST_PARTNERS
from ecglfm.data.manifest.duplicates.similarity import correlation, similarity
from ecglfm.records import to_microvolts
from tests.unit.data.manifest.duplicates.planted import pairs_of, through_400_hz
from tests.unit.data.recordings_in_memory import beating, drifting, frame


def high_passed(signal):
    sos = butter(2, 0.5, "highpass", fs=500, output="sos")
    return np.rint(sosfiltfilt(sos, signal.astype(float), axis=0)).astype(np.int16)


COPIES = {
    "shifted by a sample": lambda s: s[1:],
    "begins 4.3 s later": lambda s: s[2151:],
    "ends earlier": lambda s: s[:2600],
    "excerpt": lambda s: s[1100:3700],
    "500 to 400 to 500 Hz": through_400_hz,
    "begins later, resampled": lambda s: through_400_hz(s[733:]),
    "gain 200": lambda s: (5 * np.rint(s / 5)).astype(np.int16),
    "wrong gain": lambda s: np.rint(s * 0.4).astype(np.int16),
    "high-pass of 0.5 Hz": high_passed,
    "another reference of the leads": lambda s: s + np.int16(300),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_found_and_no_other_pair(copy):
    signals = [beating(seed, rr=0.6 + 0.02 * seed) for seed in range(30)]
    signals.append(copy(signals[7]))
    pairs = pairs_of(frame(signals, ["train"] * 30 + ["test"]), signals)
    assert set(pairs) == {("s/00007", "s/00030")}
    assert pairs["s/00007", "s/00030"]["crosses"]
    assert pairs["s/00007", "s/00030"]["correlation"] > 0.99


def test_planted_duplicates_are_found_and_no_others():
    signals = drifting(60)
    rng = np.random.default_rng(1)
    signals[10] = signals[3].copy()
    signals[40] = np.rint(signals[7] + rng.normal(0, 20, signals[7].shape)).astype(np.int16)
    splits = ["train"] * 60
    splits[10] = "test"
    found = pairs_of(frame(signals, splits), signals)
    assert set(found) == {("s/00003", "s/00010"), ("s/00007", "s/00040")}
    assert found["s/00003", "s/00010"] == {"a": "s/00003", "b": "s/00010", "correlation": 1.0, "crosses": True}
    near = found["s/00007", "s/00040"]
    freed = [
        signals[row] - uniform_filter1d(signals[row].astype(float), 501, axis=0, mode="nearest") for row in (7, 40)
    ]
    assert near["correlation"] == pytest.approx(correlation(*freed), abs=2e-6)
    assert near["correlation"] < 1.0
    assert not near["crosses"]


def test_threshold_is_the_configured_correlation():
    signals = drifting(2)
    signals[1] = np.rint(signals[0] + 0.3 * signals[1].astype(float)).astype(np.int16)
    value = similarity(*signals, 500, at_least=0.5)
    assert 0.9 < value < 0.98
    assert not pairs_of(frame(signals), signals)
    assert pairs_of(frame(signals), signals, duplicate_correlation=value - 0.001)
    assert not pairs_of(frame(signals), signals, duplicate_correlation=value + 0.001)


def test_records_that_do_not_move_are_no_duplicates():
    signals = [np.zeros((2500, 12), np.int16), np.zeros((2500, 12), np.int16), np.full((2500, 12), 7, np.int16)]
    assert not pairs_of(frame(signals, ["train", "test", "valid"]), signals)


def test_a_flat_lead_in_two_records_makes_no_pair():
    signals = drifting(3)
    for signal in signals:
        signal[:, [2, 5]] = 0
    assert not pairs_of(frame(signals), signals)


def test_same_beats_at_other_times_are_another_recording():
    # Two recordings of one patient: the same beat, another rhythm.
    beat = 1000 * np.exp(-0.5 * (np.arange(-50, 50) / 8.0) ** 2)[:, None] * np.linspace(-1, 1.3, 12)
    signals = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        signal = rng.normal(0, 10, (5000, 12))
        for onset in np.cumsum(rng.integers(380, 460, 11)) - 300:
            signal[onset : onset + 100] += beat
        signals.append(np.rint(signal).astype(np.int16))
    assert not pairs_of(frame(signals), signals)


def test_very_short_records_are_no_obstacle():
    signals = [np.ones((5, 12), np.int16), *drifting(1), drifting(1, seed=1)[0][:500], drifting(1, seed=2)[0][:1400]]
    assert not pairs_of(frame(signals), signals)


def test_recordings_that_are_all_alike_are_one_cluster_without_comparing_every_pair():
    time = np.arange(5000)[:, None] / 500
    rng = np.random.default_rng(4)
    beats = [1000 * np.exp(8 * np.cos(2 * np.pi * (1.2 * time + shift)) - 8) for shift in rng.uniform(0, 1, 60)]
    signals = [
        np.rint(beat * np.linspace(-1, 1.3, 12) + rng.normal(0, 5, (5000, 12))).astype(np.int16) for beat in beats
    ]
    found = pairs_of(frame(signals, ["train"] * 59 + ["test"]), signals)
    assert 59 <= len(found) <= 2 * 60 * MOST_PARTNERS < 60 * 59 / 2  # of both kinds of fingerprints
    assert all(pair["crosses"] for pair in found.values())
    assert {name for pair in found for name in pair} == {f"s/{k:05d}" for k in range(60)}


def test_genuine_ptb_xl_has_exactly_the_known_pairs(real_data):
    folder = real_data / "ptb-xl"
    with (folder / "DUPLICATE_PAIRS.csv").open() as file:
        known = {(f"ptbxl/{int(a):05d}", f"ptbxl/{int(b):05d}") for a, b in itertools.islice(csv.reader(file), 1, None)}
    paths = sorted(path.with_suffix("") for path in (folder / "records500").rglob("*.hea"))
    signals = [np.rint(wfdb.rdsamp(str(path))[0] * 1000).astype(np.int16) for path in paths]
    names = [f"ptbxl/{path.name[:5]}" for path in paths]
    # The first five again, as the Challenge 2021 has them.
    again = sorted((real_data / "challenge-2021/training/ptb-xl").rglob("HR*.hea"))
    assert [path.stem for path in again] == [f"HR0000{k}" for k in range(1, 6)]
    signals += [to_microvolts(ecglfm.read_record(path).standard().signal) for path in again]
    names += [f"cinc/{path.stem}" for path in again]
    records = frame(signals).assign(record_id=names)
    across = {(f"ptbxl/{k:05d}", f"cinc/HR{k:05d}") for k in range(1, 6)}
    # As they lie, no other pair's samples correlate above 0.75.
    rows = np.stack([(signal - signal.mean(axis=0)).ravel() for signal in signals]).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    alike = np.argwhere(np.triu(rows @ rows.T, 1) > 0.75)
    assert {(names[i], names[j]) for i, j in alike.tolist()} == known | across
    # Freed of drift and at any lag nothing lies between 0.9 and the duplicates: the threshold does not decide.
    for threshold in (0.98, 0.9):
        found = pairs_of(records, signals, duplicate_correlation=threshold)
        assert set(found) == known | across
        assert all(pair["correlation"] > 0.999 for pair in found.values())


def test_genuine_copies_that_differ_are_found(real_data):
    paths = sorted(path.with_suffix("") for path in (real_data / "ptb-xl/records500").rglob("*.hea"))[:40]
    signals = [np.rint(wfdb.rdsamp(str(path))[0] * 1000).astype(np.int16) for path in paths]
    copies = list(COPIES.values())
    signals += [copies[row % len(copies)](signals[row]) for row in range(40)]
    assert set(pairs_of(frame(signals), signals)) == {(f"s/{row:05d}", f"s/{row + 40:05d}") for row in range(40)}
