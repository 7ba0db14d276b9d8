"""The audit finds planted leaks, and nothing in recordings that only look alike."""

import csv
import hashlib
import itertools

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecglfm.data.audit import (
    MAX_CLIQUE,
    audit,
    candidate_pairs,
    correlation,
    counts,
    duplicate_pairs,
    patient_overlap,
    signatures,
)


def frame(signals, splits=None, patients=None, rate=500):
    n = len(signals)
    return pd.DataFrame(
        {
            "record_id": [f"s/{i:05d}" for i in range(n)],
            "source": "s",
            "patient_id": patients or [f"s/p{i}" for i in range(n)],
            "split": pd.Series(splits or ["train"] * n, dtype="str"),
            "sampling_rate": rate,
            "n_samples": [len(signal) for signal in signals],
            "sha256": [hashlib.sha256(np.ascontiguousarray(signal).tobytes()).hexdigest() for signal in signals],
        }
    )


def drifting(n, seed=0, n_samples=2500):
    """Unrelated recordings with much low-frequency content, as ECGs with baseline wander have."""
    noise = np.random.default_rng(seed).normal(0, 30, (n, n_samples, 12))
    walk = np.cumsum(noise, axis=1)
    return list(np.rint(walk - walk.mean(axis=1, keepdims=True)).astype(np.int16))


def pairs_of(records, signals, duplicate_correlation=0.98):
    found = duplicate_pairs(records, lambda row: signals[row], duplicate_correlation=duplicate_correlation)
    return {(pair["a"], pair["b"]): pair for pair in found}


def test_correlation_is_numpys_over_all_leads():
    a, b = drifting(2)
    x = (a - a.mean(axis=0)).ravel()
    y = (b - b.mean(axis=0)).ravel()
    assert correlation(a, b) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
    assert correlation(a, a) == 1.0
    assert correlation(a, -a) == -1.0


def test_correlation_of_what_does_not_move_is_zero():
    a = drifting(1)[0]
    assert correlation(a, np.full_like(a, 5)) == 0.0
    assert correlation(np.zeros_like(a), np.zeros_like(a)) == 0.0


def test_signature_cosine_estimates_the_correlation():
    base, other = (signal.astype(float) for signal in drifting(2))
    mixed = [np.rint(w * base + (1 - w) * other).astype(np.int16) for w in (1.0, 0.9, 0.7, 0.0)]
    vectors = signatures(lambda row: mixed[row], np.full(4, 500.0))
    for row in range(4):
        truth = correlation(mixed[0], mixed[row])
        assert float(vectors[0] @ vectors[row]) == pytest.approx(truth, abs=3 * (1 - truth**2) / 8 + 1e-5)


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
    assert near["correlation"] == round(correlation(signals[7], signals[40]), 6) < 1.0
    assert not near["crosses"]


def test_threshold_is_the_configured_correlation():
    signals = drifting(2)
    mixed = np.rint(signals[0] + 0.3 * signals[1].astype(float)).astype(np.int16)
    signals[1] = mixed
    value = correlation(*signals)
    assert 0.9 < value < 0.98
    assert not pairs_of(frame(signals), signals)
    assert pairs_of(frame(signals), signals, duplicate_correlation=value - 0.001)
    assert not pairs_of(frame(signals), signals, duplicate_correlation=value + 0.001)


def test_pair_with_a_record_in_no_split_does_not_cross():
    signals = [drifting(1)[0]] * 2
    pair = pairs_of(frame(signals, ["train", None]), signals)["s/00000", "s/00001"]
    assert not pair["crosses"]


def test_records_that_do_not_move_are_no_duplicates():
    signals = [np.zeros((2500, 12), np.int16), np.zeros((2500, 12), np.int16), np.full((2500, 12), 7, np.int16)]
    records = frame(signals, ["train", "test", "valid"])
    content = audit(records, lambda row: signals[row], duplicate_correlation=0.98)
    assert content["duplicate_pairs"] == []
    assert content["passed"]


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


def test_lengths_may_differ():
    signals = drifting(2, n_samples=5000)
    signals.append(signals[1][:4000].copy())
    assert set(pairs_of(frame(signals), signals)) == {("s/00001", "s/00002")}


def test_a_second_of_likeness_is_not_enough():
    signals = drifting(1)
    signals.append(signals[0][:500].copy())
    signals.append(signals[0][:500] + np.int16(1))
    assert not pairs_of(frame(signals), signals)


def test_very_short_records_are_no_obstacle():
    signals = [np.ones((5, 12), np.int16), *drifting(1)]
    assert not pairs_of(frame(signals), signals)


def test_huge_group_of_identical_records_is_a_star_that_still_crosses():
    n = MAX_CLIQUE + 10
    signals = [drifting(1)[0]] * n
    splits = [None, *["train"] * (n - 2), "test"]
    found = pairs_of(frame(signals, splits), signals)
    assert len(found) == n - 1
    assert [pair for pair, row in found.items() if row["crosses"]] == [("s/00001", f"s/{n - 1:05d}")]


@pytest.mark.parametrize("common", [0.0, 1.5])  # with much in common, most records share a bucket
def test_buckets_find_what_comparing_every_pair_finds(common):
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((5000, 64)).astype(np.float32)
    vectors[:, 0] += common * 8
    near = vectors[4700:] + 0.2 * rng.standard_normal((300, 64)).astype(np.float32)
    vectors = np.concatenate([vectors, near, np.zeros((5, 64), np.float32)])
    vectors[:5300] /= np.linalg.norm(vectors[:5300], axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    expected = {(int(i), int(j)) for i, j in np.argwhere(cosines >= 0.93) if i < j}
    assert len(expected) == 300
    assert candidate_pairs(vectors, cosine=0.93) == expected


def test_rounding_noise_has_no_signature():
    noise = np.random.default_rng(0).integers(0, 2, (2500, 12)).astype(np.int16)
    assert not signatures(lambda row: noise, np.array([500.0])).any()


def test_patient_in_two_splits_is_named_and_fails():
    signals = drifting(5)
    patients = ["s/a", "s/a", "s/b", "s/b", "s/c"]
    records = frame(signals, ["train", "test", "valid", None, "train"], patients)
    assert patient_overlap(records) == ["s/a"]
    content = audit(records, lambda row: signals[row], duplicate_correlation=0.98)
    assert not content["passed"]
    assert content["patient_overlap"] == ["s/a"]
    assert counts(records) == {
        "s": {
            "none": {"records": 1, "patients": 1},
            "test": {"records": 1, "patients": 1},
            "train": {"records": 2, "patients": 2},
            "valid": {"records": 1, "patients": 1},
        }
    }


@pytest.mark.parametrize(("splits", "passed"), [(["train", "test"], False), (["train", "train"], True)])
def test_only_a_crossing_pair_fails(splits, passed):
    signals = [drifting(1)[0]] * 2
    content = audit(frame(signals, splits), lambda row: signals[row], duplicate_correlation=0.98)
    assert len(content["duplicate_pairs"]) == 1
    assert content["passed"] is passed


def test_record_that_stands_twice_fails():
    signals = drifting(2)
    records = frame(signals).assign(record_id="s/1")
    content = audit(records, lambda row: signals[row], duplicate_correlation=0.98)
    assert content["repeated_records"] == ["s/1"]
    assert not content["passed"]


def test_genuine_ptb_xl_has_exactly_the_known_pairs(real_data):
    folder = real_data / "ptb-xl"
    with (folder / "DUPLICATE_PAIRS.csv").open() as file:
        known = {(int(a), int(b)) for a, b in itertools.islice(csv.reader(file), 1, None)}
    paths = sorted(path.with_suffix("") for path in (folder / "records500").rglob("*.hea"))
    ids = [int(path.name[:5]) for path in paths]
    signals = [np.rint(wfdb.rdsamp(str(path))[0] * 1000).astype(np.int16) for path in paths]
    records = frame(signals).assign(record_id=[f"ptbxl/{i:05d}" for i in ids])
    # Nothing between 0.75 and the duplicates: the threshold is not what makes this come out.
    for threshold in (0.98, 0.75):
        found = pairs_of(records, signals, duplicate_correlation=threshold)
        assert {(int(a[6:]), int(b[6:])) for a, b in found} == known
        assert all(pair["correlation"] > 0.999 for pair in found.values())
