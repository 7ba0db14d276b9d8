"""Planted copies of every kind are found, and nothing in recordings that only look alike."""

import csv
import itertools

import numpy as np
import pytest
import wfdb
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, resample_poly, sosfiltfilt

import ecglfm
from ecglfm.data.manifest.duplicates.candidates import MOST_PARTNERS, candidate_pairs
from ecglfm.data.manifest.duplicates.fingerprints import SCALE, Fingerprints, fingerprint, make_fingerprints
from ecglfm.data.manifest.duplicates.recordings import ShardRecordings
from ecglfm.data.manifest.duplicates.search import MAX_CLIQUE, duplicate_pairs
from ecglfm.data.manifest.duplicates.similarity import correlation, similarity
from ecglfm.records import to_microvolts
from tests.unit.data.recordings_in_memory import Given, beating, drifting, frame, pieces_of


def pairs_of(records, signals, duplicate_correlation=0.98):
    found = duplicate_pairs(pieces_of(records), Given(signals), duplicate_correlation=duplicate_correlation)
    return {(pair["a"], pair["b"]): pair for pair in found}


def through_400_hz(signal):
    return np.rint(resample_poly(resample_poly(signal.astype(float), 4, 5), 5, 4)).astype(np.int16)


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


def test_copies_at_another_rate_have_the_same_fingerprint():
    at_500, at_360 = (beating(3, n_samples=10 * rate, rate=rate) for rate in (500, 360))
    (times, vectors), (others, theirs) = fingerprint(at_500, 500), fingerprint(at_360, 360)
    assert np.allclose(times, others, atol=0.01)
    assert (np.einsum("ij,ij->i", vectors.astype(int), theirs.astype(int)) / SCALE**2 > 0.95).all()


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


def test_pair_with_a_record_in_no_split_does_not_cross():
    signals = [drifting(1)[0]] * 2
    assert not pairs_of(frame(signals, ["train", None]), signals)["s/00000", "s/00001"]["crosses"]


@pytest.mark.parametrize("middle", [None, "train"])
def test_a_chain_from_training_to_test_crosses_though_its_ends_are_no_pair(middle):
    whole = beating(1)
    signals = [whole[:3500], whole, whole[1500:], beating(2)]  # 4 s in common: too little to be a pair
    found = pairs_of(frame(signals, ["train", middle, "test", "valid"]), signals)
    assert {pair: row["crosses"] for pair, row in found.items()} == {
        ("s/00000", "s/00001"): True,
        ("s/00001", "s/00002"): True,
    }


def test_a_chain_through_two_records_of_a_patient_in_no_split_crosses():
    one, other = beating(1), beating(2)
    signals = [one, one[1:], other, other[1:]]
    records = frame(signals, ["train", None, None, "test"], ["s/a", "s/b", "s/b", "s/c"])
    assert [row["crosses"] for row in pairs_of(records, signals).values()] == [True, True]
    apart = records.assign(patient_id=["s/a", "s/b", "s/d", "s/c"])
    assert [row["crosses"] for row in pairs_of(apart, signals).values()] == [False, False]


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


def test_huge_group_of_identical_records_is_a_star_that_still_crosses():
    n = MAX_CLIQUE + 10
    signals = [drifting(1)[0]] * n
    for last, crosses in (("test", True), ("train", False)):
        found = pairs_of(frame(signals, [None, *["train"] * (n - 2), last]), signals)
        assert list(found) == [("s/00000", f"s/{row:05d}") for row in range(1, n)]
        assert {row["crosses"] for row in found.values()} == {crosses}


def test_a_near_copy_of_identical_records_is_paired_with_each():
    signals = [*drifting(3), drifting(3)[1]]
    signals.append(signals[1][3:])
    found = pairs_of(frame(signals, ["train", None, "train", "train", "test"]), signals)
    assert {pair: row["crosses"] for pair, row in found.items()} == {
        ("s/00001", "s/00003"): True,
        ("s/00001", "s/00004"): True,
        ("s/00003", "s/00004"): True,
    }


def test_a_near_copy_that_comes_first_is_paired_with_each_twin():
    signals = [*drifting(3), drifting(3)[1]]
    signals[0] = signals[1][3:]
    assert set(pairs_of(frame(signals), signals)) == {
        ("s/00000", "s/00001"),
        ("s/00000", "s/00003"),
        ("s/00001", "s/00003"),
    }


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_a_shift_by_part_of_a_coarse_sample_costs_next_to_nothing(shift):
    signal = beating(11)
    (_, vectors), (_, others) = fingerprint(signal, 500), fingerprint(signal[shift:], 500)
    beats = np.einsum("ij,ij->i", vectors[2:-1].astype(int), others[2:-1].astype(int)) / SCALE**2
    assert len(beats) > 4
    assert (beats > 0.995).all()


@pytest.mark.parametrize("common", [0.0, 1.5])  # with much in common, signatures lie on one side of most planes
def test_sorted_neighbours_find_what_comparing_every_pair_finds(common):
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((20_000, 64))
    vectors += common
    near = vectors[-300:] + 0.3 * rng.standard_normal((300, 64))
    vectors = np.concatenate([vectors, near])
    vectors = np.rint(SCALE * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).clip(-127, 127)
    n = len(vectors)
    prints = Fingerprints(np.arange(n), np.zeros(n, bool), np.zeros(n, np.float32), vectors.astype(np.int8))
    found = {tuple(pair) for pair in candidate_pairs(prints, cosine=0.93).tolist()}
    planted = {(19_700 + k, 20_000 + k) for k in range(300)}
    if common == 0.0:
        assert found <= planted
    # Cosines of 0.96. A recording has several windows; of single ones a few are missed (285 without the next block).
    assert len(found & planted) >= 288


def test_a_crowd_of_look_alikes_costs_no_more_than_its_size_and_hides_no_copy():
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal(64) + 0.2 * rng.standard_normal((2000, 64))  # cosines of 0.96, pair by pair
    vectors[1000:1300] = vectors[:300] + 0.02 * rng.standard_normal((300, 64))
    vectors = np.rint(SCALE * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).clip(-127, 127)
    prints = Fingerprints(np.arange(2000), np.zeros(2000, bool), np.zeros(2000, np.float32), vectors.astype(np.int8))
    pairs = candidate_pairs(prints, cosine=0.93)
    assert 2000 < len(pairs) <= 2000 * MOST_PARTNERS
    assert len({(k, 1000 + k) for k in range(300)} & {tuple(pair) for pair in pairs.tolist()}) >= 299


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


def test_fingerprints_stay_below_a_kilobyte_a_record():
    signals = Given(beating(seed, rr=0.5) for seed in range(20))  # 120 beats a minute
    prints = make_fingerprints(signals, np.full(20, 500.0), np.arange(20))
    size = sum(part.nbytes for part in (prints.rows, prints.begins, prints.times, prints.vectors))
    assert size / 20 < 1500
    assert (np.bincount(prints.rows) > 10).all()


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
