"""Preprocessing of planted recordings: policy, gaps, shards and windows with values known beforehand."""

import hashlib
import types

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.data.preprocess import prepare, preprocess, run_preprocess
from ecglfm.records import SENTINEL, Record

PASS = PreprocessConfig()


def recording(seed=0, n_samples=5000):
    """Smooth noise that obeys Einthoven's law and Goldberger's equations, int16 microvolts."""
    rng = np.random.default_rng(seed)
    raw = np.cumsum(rng.normal(0, 20, (n_samples, 12)), axis=0)
    raw -= raw.mean(axis=0)
    raw[:, 2] = raw[:, 1] - raw[:, 0]
    return np.clip(np.rint(raw), -32000, 32000).astype(np.int16)


def with_quality(**tests):
    return PreprocessConfig.model_validate({"quality": tests})


def test_what_is_in_shape_passes_through_untouched():
    signal = recording()
    prepared = prepare(signal, 500.0, PASS)
    assert prepared.dropped is None
    assert prepared.flags == {}
    assert prepared.signal.dtype == np.int16
    np.testing.assert_array_equal(prepared.signal, signal)


def test_leads_are_chosen_by_name():
    signal = recording()
    prepared = prepare(signal, 500.0, PreprocessConfig(leads=["V1", "II"]))
    np.testing.assert_array_equal(prepared.signal, signal[:, [6, 1]])


@pytest.mark.parametrize("action", ["drop", "flag", "keep"])
def test_policy_of_a_failed_test(action):
    signal = recording()
    signal[:, 3] = 0
    prepared = prepare(signal, 500.0, with_quality(flat_leads={"limit": 0, "action": action}))
    assert prepared.quality["flat_leads"] == 1
    assert (prepared.dropped is not None) == (action == "drop")
    assert list(prepared.flags) == (["flat_leads"] if action == "flag" else [])
    if action == "drop":
        assert prepared.dropped == ("flat_leads", "1, limit 0")
        assert len(prepared.signal) == 0


def test_quality_concerns_the_chosen_leads_only():
    signal = recording()
    signal[:, 3] = 0
    signal[:2500, 4] = SENTINEL
    quality = prepare(signal, 500.0, PreprocessConfig(leads=["I", "V6"])).quality
    assert (quality["flat_leads"], quality["missing_fraction"]) == (0, 0.0)


def test_missing_samples_are_measured_filled_and_never_stored():
    signal = recording()
    signal[100:110, 0] = SENTINEL  # 20 ms: a straight line
    signal[1000:1200, 5] = SENTINEL  # 0.4 s: zeros, flagged
    prepared = prepare(signal, 500.0, PASS)
    assert prepared.quality["missing_fraction"] == pytest.approx(210 / 60_000)
    assert prepared.flags == {"long_gap": "200 samples in gaps over 0.2 s are 0"}
    assert not (prepared.signal == SENTINEL).any()
    assert not prepared.signal[1000:1200, 5].any()
    line = np.interp(np.arange(100, 110), [99, 110], signal[[99, 110], 0])
    np.testing.assert_array_equal(prepared.signal[100:110, 0], np.rint(line))


def test_record_with_too_much_missing_is_dropped():
    signal = recording()
    signal[:1000] = SENTINEL
    assert prepare(signal, 500.0, PASS).dropped == ("missing_fraction", "0.2, limit 0.1")


def test_swapped_limb_leads_are_flagged():
    signal = recording()
    signal[:, [0, 1]] = signal[:, [1, 0]]
    assert "einthoven_residual" in prepare(signal, 500.0, PASS).flags


def test_all_zero_record_is_flagged_and_its_residual_unknown():
    prepared = prepare(np.zeros((5000, 12), np.int16), 500.0, PASS)
    assert list(prepared.flags) == ["flat_leads"]
    assert np.isnan(prepared.quality["einthoven_residual"])


def test_what_resampling_overshoots_stays_within_int16():
    signal = np.full((1000, 12), -32767, np.int16)
    signal[500:] = 32767
    prepared = prepare(signal, 500.0, PreprocessConfig(sampling_rate=360))
    assert prepared.signal.shape == (720, 12)
    assert prepared.signal.min() == -32767
    assert prepared.signal.max() == 32767


@pytest.mark.parametrize("n_samples", [0, 5])
def test_record_too_short_for_the_filters_is_dropped(n_samples):
    config = PreprocessConfig.model_validate({"bandpass": {}})
    assert prepare(recording(n_samples=5)[:n_samples], 500.0, config).dropped[0] == "too_short"


@pytest.mark.parametrize(
    ("config", "key"),
    [({"sampling_rate": 100, "bandpass": {}}, "bandpass"), ({"sampling_rate": 100, "notch": {}}, "notch.frequency")],
)
def test_filter_that_does_not_fit_the_rate_is_the_users_mistake(config, key, tmp_path):
    with pytest.raises(UserError, match=rf"preprocess\.{key}.* 50 Hz"):
        run_preprocess(PreprocessConfig.model_validate(config), tmp_path / "000.npy", tmp_path / "o" / "000.npy", 1)


def write_shard(folder, signals, *, rates=None, shard=0):
    folder.mkdir(parents=True, exist_ok=True)
    lengths = [len(signal) for signal in signals]
    np.save(folder / f"{shard:03d}.npy", np.concatenate(signals))
    table = pd.DataFrame(
        {
            "record_id": [f"s/{shard}-{i}" for i in range(len(signals))],
            "source": "s",
            "patient_id": [f"s/p{i}" for i in range(len(signals))],
            "offset": np.cumsum([0, *lengths[:-1]]),
            "n_samples": lengths,
            "sampling_rate": rates or [500.0] * len(signals),
            "missing_samples": 0,
            "sha256": "",
        }
    )
    table.to_parquet(folder / f"{shard:03d}.parquet", index=False)
    return folder / f"{shard:03d}.npy"


def read_all(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_stage_writes_offsets_hashes_and_ledger(tmp_path):
    spoilt = recording(1)
    spoilt[:2000] = SENTINEL
    flat = recording(2)
    flat[:, 7] = 12
    path = write_shard(
        tmp_path / "in", [recording(0), spoilt, flat, recording(3, 800)], rates=[500.0, 500.0, 500.0, 400.0], shard=2
    )
    run_preprocess(PASS, path, tmp_path / "out" / "002.npy", 1)
    signals = np.load(tmp_path / "out" / "002.npy")
    table = pd.read_parquet(tmp_path / "out" / "002.parquet")
    ledger = pd.read_parquet(tmp_path / "out" / "002.ledger.parquet")
    assert signals.shape == (11_000, 12)
    assert table.record_id.tolist() == ["s/2-0", "s/2-2", "s/2-3"]
    assert table.offset.tolist() == [0, 5000, 10_000]
    assert table.n_samples.tolist() == [5000, 5000, 1000]
    assert table.shard.tolist() == [2, 2, 2]
    assert table.sampling_rate.tolist() == [500, 500, 500]
    assert table["flags"].tolist() == ["", "flat_leads", ""]
    assert table.sha256[1] == hashlib.sha256(flat.tobytes()).hexdigest()
    np.testing.assert_array_equal(signals[5000:10_000], flat)
    rows = ledger.set_index("record_id")[["stage", "action", "reason"]].apply(tuple, axis=1).to_dict()
    assert rows == {
        "s/2-1": ("preprocess", "dropped", "missing_fraction"),
        "s/2-2": ("preprocess", "flagged", "flat_leads"),
    }


def test_number_of_workers_does_not_change_a_byte(tmp_path):
    path = write_shard(tmp_path / "in", [recording(i, 600) for i in range(70)])
    config = PreprocessConfig(sampling_rate=250)
    run_preprocess(config, path, tmp_path / "one" / "000.npy", 1)
    run_preprocess(config, path, tmp_path / "two" / "000.npy", 2)
    assert read_all(tmp_path / "one") == read_all(tmp_path / "two")


def test_empty_shard_is_an_empty_table(tmp_path):
    path = write_shard(tmp_path / "in", [recording()])
    table = pd.read_parquet(path.with_suffix(".parquet"))
    table.iloc[:0].to_parquet(path.with_suffix(".parquet"))
    np.save(path, np.empty((0, 12), np.int16))
    run_preprocess(PASS, path, tmp_path / "out" / "000.npy", 1)
    assert np.load(tmp_path / "out" / "000.npy").shape == (0, 12)
    assert pd.read_parquet(tmp_path / "out" / "000.parquet").offset.dtype == np.int64


def test_truncated_ingest_shard_is_named(tmp_path):
    path = write_shard(tmp_path / "in", [recording()])
    np.save(path, recording()[:4000])
    with pytest.raises(UserError, match=r"000\.npy.*run ingest again"):
        run_preprocess(PASS, path, tmp_path / "out" / "000.npy", 1)
    assert not list((tmp_path / "out").glob("*"))


def encoder(crop_samples=2500, **config):
    return types.SimpleNamespace(preprocess=PreprocessConfig.model_validate(config), crop_samples=crop_samples)


def test_windows_of_a_record_are_the_pipelines_samples_in_millivolts():
    signal = recording(n_samples=5600)
    order = [11, *range(11)]  # the file's own order
    record = Record(signal[:, order] / 1000.0, tuple(LEADS[i] for i in order), 500.0)
    windows = preprocess(record, encoder()).numpy()
    assert windows.dtype == np.float32
    assert windows.shape == (2, 12, 2500)
    np.testing.assert_array_equal(windows[1].T, signal[2500:5000].astype(np.float32) / np.float32(1000))


def test_short_record_is_one_window_of_its_own_length():
    signal = recording(n_samples=400)
    windows = preprocess(Record(signal / 1000.0, LEADS, 200.0), encoder(sampling_rate=100, crop_samples=500))
    assert windows.shape == (1, 12, 200)


@pytest.mark.parametrize("fs", [0.01, 5e6])
def test_impossible_sampling_rate_is_a_reason_not_a_crash(fs):
    assert prepare(recording(), fs, PASS).dropped == ("sampling_rate", f"{fs:g} Hz is outside 20 to 20000 Hz")


def test_record_that_cannot_be_used_says_why():
    signal = recording() / 1000.0
    with pytest.raises(UserError, match="lead_missing: V6"):
        preprocess(Record(signal[:, :11], LEADS[:11], 500.0), encoder())
    signal[:2500] = np.nan
    with pytest.raises(UserError, match=r"missing_fraction: 0\.5, limit 0\.1"):
        preprocess(Record(signal, LEADS, 500.0), encoder())
