"""One recording, prepared: policy, leads, gaps and windows with values known beforehand."""

import types

import numpy as np
import pytest
import torch

from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.data.signals.recording import prepare, preprocess
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.heads import ECGModel
from ecglfm.records import ALL_LEADS, SENTINEL, Record
from ecglfm.training.inference import model_input
from tests.unit.architectures import architecture

PASS = PreprocessConfig()


def recording(seed=0, n_samples=5000):
    """Smooth noise that obeys Einthoven's law, seen by V6 as by I, int16 microvolts."""
    rng = np.random.default_rng(seed)
    raw = np.cumsum(rng.normal(0, 20, (n_samples, 12)), axis=0)
    raw -= raw.mean(axis=0)
    raw[:, 2] = raw[:, 1] - raw[:, 0]
    raw[:, 11] = raw[:, 0] + raw[:, 1]
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
        assert prepared.dropped == ("flat_leads", "1, limit 0: aVR")
        assert len(prepared.signal) == 0


def test_quality_concerns_the_chosen_leads_only():
    signal = recording()
    signal[:, 3] = 0
    signal[:2500, 4] = SENTINEL
    quality = prepare(signal, 500.0, PreprocessConfig(leads=["I", "V6"])).quality
    assert (quality["flat_leads"], quality["missing_fraction"]) == (0, 0.0)


def test_leads_that_are_not_chosen_are_no_reason_to_drop():
    signal = recording()
    signal[:, [0, 1]] = signal[:, [1, 0]]
    tests = ["einthoven_residual", "swapped_leads"]

    def measured(*leads):
        config = {"leads": list(leads), "quality": {name: {"limit": 0.2, "action": "drop"} for name in tests}}
        found = prepare(signal, 500.0, PreprocessConfig.model_validate(config))
        return [not np.isnan(found.quality[name]) for name in tests], found.dropped and found.dropped[0]

    assert measured("V1", "V2") == ([False, False], None)
    assert measured("I", "II", "V1")[0] == [False, False]
    assert measured("V6", "II", "I")[0] == [False, True]
    assert measured("III", "II", "I") == ([True, False], "einthoven_residual")


def test_absent_leads_are_zeros_or_the_reason_to_drop():
    signal = recording()
    signal[:, 7] = SENTINEL
    mask = ALL_LEADS & ~(1 << 7)
    assert prepare(signal, 500.0, PASS, lead_mask=mask).dropped == ("missing_leads", "1, limit 0: V2")
    prepared = prepare(signal, 500.0, with_quality(missing_leads={"limit": 11, "action": "drop"}), lead_mask=mask)
    assert prepared.flags == {}
    assert [prepared.quality[name] for name in ("missing_leads", "missing_fraction", "flat_leads")] == [1, 0.0, 0]
    assert not prepared.signal[:, 7].any()
    others = [lead for lead in range(12) if lead != 7]
    np.testing.assert_array_equal(prepared.signal[:, others], signal[:, others])


def test_absent_leads_that_are_not_chosen_do_not_matter():
    signal = recording()
    signal[:, :11] = SENTINEL
    prepared = prepare(signal, 500.0, PreprocessConfig(leads=["V6"]), lead_mask=1 << 11)
    np.testing.assert_array_equal(prepared.signal, signal[:, 11:])
    assert np.isnan([prepared.quality[name] for name in ("einthoven_residual", "swapped_leads")]).all()


def test_record_without_any_chosen_lead_is_dropped_whatever_the_policy():
    config = PreprocessConfig.model_validate({"leads": ["V1"], "quality": {"missing_leads": {"limit": 11}}})
    assert prepare(recording(), 500.0, config, lead_mask=1).dropped == ("missing_leads", "none of V1 is there")


def test_filters_and_rates_leave_absent_leads_zero():
    config = {"sampling_rate": 250, "bandpass": {}, "quality": {"missing_leads": {"limit": 11}}}
    prepared = prepare(recording(), 500.0, PreprocessConfig.model_validate(config), lead_mask=3)
    assert prepared.signal.shape == (2500, 12)
    assert not prepared.signal[:, 2:].any()
    assert prepared.signal[:, :2].std() > 10


@pytest.mark.parametrize(
    ("factor", "amplitude"), [(1.0, None), (2.4, None), (0.1, "0.05 mV"), (0.02, "0.01 mV"), (15.0, "7.5 mV")]
)
def test_amplitude_that_no_heart_has_is_dropped(factor, amplitude):
    seconds = np.arange(5000)[:, None] / 500
    beats = np.where(np.arange(12) == 3, -1.0, 0.5) * 1000 * np.exp(-(((seconds % 1 - 0.5) / 0.02) ** 2))
    dropped = prepare(np.clip(beats * factor, -32767, 32767).astype(np.int16), 500.0, PASS).dropped
    assert dropped == (amplitude and ("amplitude", f"{amplitude}, limits 0.2 to 6"))


def test_missing_samples_are_measured_filled_and_never_stored():
    signal = recording()
    signal[100:110, 0] = SENTINEL  # 20 ms: a straight line
    signal[1000:1200, 5] = SENTINEL  # 0.4 s: zeros, flagged
    prepared = prepare(signal, 500.0, PASS)
    assert prepared.quality["missing_fraction"] == pytest.approx(210 / 60_000)
    assert prepared.flags == {"long_gap": "0.4 s, limit 0: aVF"}
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


@pytest.mark.parametrize("unit", [0.0, 1e-3])  # nothing but zeros; 1 mV that is read as 1 uV
def test_record_in_which_no_lead_moves_is_dropped(unit):
    signal = np.rint(recording() * unit).astype(np.int16)
    assert signal.any() == bool(unit)
    assert prepare(signal, 500.0, PASS).dropped == ("amplitude", "0 mV, limits 0.2 to 6: no lead moves")
    kept = prepare(signal, 500.0, with_quality(amplitude={"lowest": 0.2, "highest": 6.0, "action": "flag"}))
    assert {"flat_leads", "amplitude"} <= set(kept.flags)


def test_residual_of_an_all_zero_record_is_unknown():
    config = with_quality(amplitude={"lowest": 0, "highest": 6})
    assert np.isnan(prepare(np.zeros((5000, 12), np.int16), 500.0, config).quality["einthoven_residual"])


def test_what_resampling_overshoots_stays_within_int16():
    signal = np.full((1000, 12), -32767, np.int16)
    signal[500:] = 32767
    quality = {"amplitude": {"lowest": 0.2, "highest": 66.0}}
    prepared = prepare(signal, 500.0, PreprocessConfig.model_validate({"sampling_rate": 360, "quality": quality}))
    assert prepared.signal.shape == (720, 12)
    assert prepared.signal.min() == -32767
    assert prepared.signal.max() == 32767


@pytest.mark.parametrize("n_samples", [0, 5])
def test_record_too_short_for_the_filters_is_dropped(n_samples):
    config = PreprocessConfig.model_validate({"bandpass": {}})
    assert prepare(recording(n_samples=5)[:n_samples], 500.0, config).dropped[0] == "too_short"


@pytest.mark.parametrize("fs", [250.0, 500.0])
def test_record_of_one_sample_is_too_short_whatever_its_rate(fs):
    assert prepare(recording(n_samples=1), fs, PASS).dropped == ("too_short", "1 samples, at least 2 are needed")
    assert prepare(recording(n_samples=2), fs, PASS).dropped is None


def encoder(crop_samples=2500, **config):
    prepared = PreprocessConfig.model_validate(config)
    return types.SimpleNamespace(preprocess=prepared, input=None, crop_samples=crop_samples)


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


def test_a_record_that_resampling_makes_too_long_is_dropped_before_it_takes_memory():
    signal = recording(
        n_samples=11_185
    )  # 11,184 are 134,208,000 values at a thousandfold rate, and 2^27 are 134,217,728
    dropped = prepare(signal, 20.0, PreprocessConfig(sampling_rate=20_000)).dropped
    assert dropped == ("signal_too_long", "11185 samples at 20 Hz would be 1.3e+08 values")


def test_record_that_cannot_be_used_says_why():
    signal = recording() / 1000.0
    with pytest.raises(UserError, match="missing_leads: 1, limit 0: V6"):
        preprocess(Record(signal[:, :11], LEADS[:11], 500.0), encoder())
    with pytest.raises(UserError, match="lead_missing: none of I II III"):
        preprocess(Record(signal[:, :2], ("vx", "vy"), 500.0), encoder())
    signal[:2500] = np.nan
    with pytest.raises(UserError, match=r"missing_fraction: 0\.5, limit 0\.1"):
        preprocess(Record(signal, LEADS, 500.0), encoder())


@pytest.mark.parametrize(("leads", "present"), [(("I", "II", *LEADS[6:]), 12), (("I", "II", "V2"), 7), (("II",), 1)])
def test_records_of_8_3_and_1_leads_are_windows_with_zeros(leads, present):
    signal = recording()
    record = Record(signal[:, [LEADS.index(lead) for lead in leads]] / 1000.0, leads, 500.0)
    policy = encoder(quality={"missing_leads": {"limit": 11, "action": "drop"}})
    windows = preprocess(record, policy).numpy()
    assert windows.shape == (2, 12, 2500)
    assert windows.any(axis=(0, 2)).sum() == present
    np.testing.assert_allclose(windows[0, 1], signal[:2500, 1] / 1000.0, atol=1e-6)
    if present > 1:
        np.testing.assert_allclose(windows[0, 2], (signal[:2500, 1] - signal[:2500, 0]) / 1000.0, atol=1e-6)
    if present < 12:
        with pytest.raises(UserError, match=f"missing_leads: {12 - present}, limit 0: "):
            preprocess(record, encoder())


def test_three_seconds_give_what_the_pipelines_padded_and_masked_window_gives():
    torch.manual_seed(0)
    model = architecture(layers=1, dim=16, ffn_dim=16, heads=2, conv_channels=8)
    small = ECGEncoder(model, LEADS, 500, PASS, crop_seconds=5.0).eval()
    signal = recording(n_samples=1500)
    alone = preprocess(Record(signal / 1000.0, LEADS, 500.0), small)
    padded = np.zeros((1, 2500, 12), np.int16)
    padded[0, :1500] = signal
    x, mask = model_input(padded, np.array([1500]))
    with torch.inference_mode():
        frames, real = small.encode(x, mask)
        assert alone.shape == (1, 12, 1500)
        assert real.sum() == small(alone).shape[1] < frames.shape[1]
        assert not frames[~real].any()
        torch.testing.assert_close(small.embed(x, mask), small.embed(alone), rtol=1e-4, atol=1e-5)


def test_a_disease_model_is_fed_as_its_encoder_is():
    shape = architecture(layers=1, dim=16, ffn_dim=16, heads=2, conv_channels=8)
    small = ECGEncoder(shape, LEADS, 250, PreprocessConfig(sampling_rate=250), crop_seconds=5.0).eval()
    model = ECGModel(small, ["AF", "MI"], "linear").eval()
    record = Record(recording() / 1000.0, LEADS, 500.0)
    windows = preprocess(record, model)
    assert windows.shape == (2, 12, 1250)
    torch.testing.assert_close(windows, preprocess(record, small), rtol=0, atol=0)
    assert model(windows).shape == (2, 2)


@pytest.mark.parametrize(("record", "encoder"), [(None, "path/to/model"), ("r.hea", None), (recording(), 5)])
def test_what_is_neither_record_nor_model_is_one_sentence(record, encoder):
    with pytest.raises(UserError, match=f"found {type(record).__name__} and {type(encoder).__name__}"):
        preprocess(record, encoder)
