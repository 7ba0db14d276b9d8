"""Quality of genuine recordings: what is known to be wrong with them is found, and nothing else is said."""

import numpy as np
import pytest

import ecglfm
from ecglfm.config import PreprocessConfig, QualityConfig
from ecglfm.data.signals.preprocessing import OUTPUT_DTYPES, QUALITY
from ecglfm.data.signals.quality import MEASURES
from ecglfm.data.signals.recording import prepare
from ecglfm.records import to_microvolts

PASS = PreprocessConfig()


def flags(path):
    record = ecglfm.read_record(path).standard()
    found = prepare(to_microvolts(record.signal), record.sampling_rate, PASS, lead_mask=record.lead_mask)
    assert found.dropped is None
    return found.flags


@pytest.fixture(scope="module")
def ptb_xl(real_data):
    """The 300 recordings, int16 microvolts (300, 5000, 12)."""
    headers = sorted((real_data / "ptb-xl/records500").rglob("*.hea"))
    return np.stack([to_microvolts(ecglfm.read_record(path.with_suffix("")).standard().signal) for path in headers])


def swap_arms(signal):
    """Left and right arm exchanged: I turns over, II and III as well as aVR and aVL change places."""
    swapped = signal[:, [0, 2, 1, 4, 3, 5, *range(6, 12)]].copy()
    swapped[:, 0] *= -1
    return swapped


def swap_right_arm_and_leg(signal):
    """Right arm and left leg exchanged: I is -III, II turns over, III is -I, aVR and aVF change places."""
    swapped = signal[:, [2, 1, 0, 5, 4, 3, *range(6, 12)]].copy()
    swapped[:, :3] *= -1
    return swapped


def test_every_test_of_the_config_is_measured_and_every_measure_is_a_column():
    assert set(QualityConfig.model_fields) == set(MEASURES) - {"mains_frequency"}
    assert tuple(MEASURES) == QUALITY
    assert set(QUALITY) < set(OUTPUT_DTYPES)


def test_of_300_ptb_xl_records_two_are_flagged_and_none_dropped(ptb_xl):
    prepared = [prepare(signal, 500.0, PASS) for signal in ptb_xl]
    assert not any(found.dropped for found in prepared)
    found = {number: found.flags for number, found in enumerate(prepared, 1) if found.flags}
    assert {number: list(flags) for number, flags in found.items()} == {190: ["swapped_leads"], 197: ["mains_noise"]}
    assert found[197]["mains_noise"].endswith("at 50 Hz")  # recorded in Germany; 190 is a paced rhythm


def test_swapped_electrodes_are_found_in_genuine_records(ptb_xl):
    arms = [prepare(swap_arms(signal), 500.0, PASS).flags.get("swapped_leads", "") for signal in ptb_xl]
    leg = [prepare(swap_right_arm_and_leg(signal), 500.0, PASS).flags.get("swapped_leads", "") for signal in ptb_xl]
    assert sum(detail.endswith(": arms") for detail in arms) >= 240  # of 300
    assert sum(detail.endswith(": right arm and left leg") for detail in leg) >= 285


def test_swapped_channels_break_einthovens_law(ptb_xl):
    exchanged = ptb_xl[:50][:, :, [1, 0, *range(2, 12)]]
    assert all("einthoven_residual" in prepare(signal, 500.0, PASS).flags for signal in exchanged)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("JS20004", {"flat_leads": "3, limit 0: V2 V4 V6"}),
        ("JS11438", {"flat_leads": "6, limit 0: V1 V2 V3 V4 V5 V6"}),
        ("JS13888", {}),
    ],
)
def test_flat_leads_of_ningbo_are_named(real_data, record, expected):
    assert flags(real_data / "challenge-2021/training/ningbo/g1" / record) == expected


def test_spikes_above_10_mv_do_not_make_a_wrong_gain(real_data):
    assert "amplitude" not in flags(real_data / "challenge-2021/training/ningbo/g1/JS20011")


def test_of_the_challenges_genuine_records_none_is_dropped(real_data):
    headers = sorted((real_data / "challenge-2021/training").rglob("*.hea"))
    assert len(headers) >= 33
    for path in headers:
        flags(path.with_suffix(""))


@pytest.mark.parametrize(("factor", "at_least"), [(0.001, 300), (0.1, 290), (10, 299)])
def test_wrong_unit_or_gain_is_dropped_in_genuine_records(ptb_xl, factor, at_least):
    spoilt = np.clip(np.rint(ptb_xl * factor), -32767, 32767).astype(np.int16)
    reasons = [(prepare(signal, 500.0, PASS).dropped or ("",))[0] for signal in spoilt]
    assert reasons.count("amplitude") >= at_least


def test_ludb_whose_leads_are_not_calibrated_alike_is_flagged_for_that_alone(real_data):
    for number in (1, 2, 3):
        assert list(flags(real_data / f"ludb/data/{number}")) == ["einthoven_residual"]


def test_leads_of_another_length_or_rate_are_measured_alike(real_data):
    assert flags(real_data / "challenge-2021/training/ptb/g1/S0001") == {}  # 1000 Hz, 38 s
