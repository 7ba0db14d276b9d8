"""An input contract in a config: rates that meet, windows of whole samples, and what prepared signals must have."""

from __future__ import annotations

from typing import Any

import pytest

from ecglfm.config import InputConfig, PreprocessConfig, UserError, check_input, parse
from ecglfm.models.importers.contracts import CONTRACTS

HUBERT = {
    "leads": ["I", "II", "III"],
    "sampling_rate": 100,
    "unit": "-1 to 1",
    "record": [{"step": "resample", "rate": 500}, {"step": "notch"}, {"step": "min_max", "low": -1}],
    "window_seconds": 5,
    "window": [{"step": "decimate", "factor": 5}, {"step": "butterworth", "high": 40, "order": 2}],
}


def contract(**more: Any) -> InputConfig:
    return parse(InputConfig, HUBERT | more, "e.yaml")


def test_a_window_is_cut_at_the_rate_before_its_steps() -> None:
    config = contract()
    assert (config.factor, config.window_samples) == (5, 500)
    assert [rate for _, _, rate in config.placed(1000)] == [1000, 500, 500, 500, 100]
    assert [rate for _, _, rate in config.placed(None)] == [None, 500, 500, 500, 100]


def test_what_changes_the_unit_is_known_and_left_out_for_people() -> None:
    config = contract()
    assert not config.millivolts
    seen = config.in_millivolts()
    assert [step.step for step in (*seen.record, *seen.window)] == ["resample", "decimate"]
    assert (seen.unit, seen.millivolts, seen.leads, seen.window_samples) == ("mV", True, config.leads, 500)
    for step in ({"step": "scale", "per_millivolt": 2}, {"step": "standardize"}):
        assert not contract(record=[step]).millivolts
    assert contract(record=[{"step": "notch"}]).millivolts


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"leads": []}, r"leads: .*at least 1"),
        ({"leads": ["I", "I"]}, r"leads: each lead once, out of I II .*; wrong here: \['I', 'I'\]"),
        ({"leads": ["I", "X"]}, r"leads: each lead once, out of I II .*; wrong here: \['X'\]"),
        ({"sampling_rate": 250}, r"\(whole file\): its steps end at 100 Hz, and sampling_rate is 250 Hz"),
        (
            {"record": [{"step": "resample", "rate": 500}, {"step": "resample", "rate": 250}]},
            r"\(whole file\): its steps end at 50 Hz, and sampling_rate is 100 Hz",
        ),
        ({"window_seconds": 5.001}, r"\(whole file\): window_seconds: 500\.1 samples at 100 Hz are no whole number"),
        ({"window_seconds": 0.0}, r"window_seconds: .*greater than 0"),
        (
            {"window": [{"step": "decimate", "factor": 5}, {"step": "notch"}]},
            r"\(whole file\): window\.1: notch: frequency: 50 Hz is not below 50 Hz, half of the rate",
        ),
        ({"windows": []}, r"windows: unknown key; did you mean 'window'\?"),
    ],
)
def test_a_mistake_is_one_line(more: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"^e\.yaml: {message}") as error:
        contract(**more)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("more", "preprocess", "message"),
    [
        ({}, {}, None),
        ({}, {"leads": ["aVF", "V1", "aVL"]}, None),  # three leads of two others
        (
            {},
            {"leads": ["II", "V1"]},
            r"input\.leads: I is not in preprocess\.leads, nor .* limbs; add it there, or leave this encoder out$",
        ),
        ({"leads": ["V2"]}, {"leads": ["I", "II"]}, r"input\.leads: V2 is not in preprocess\.leads"),
        (
            {},
            {"bandpass": {}},
            r"preprocess\.bandpass: input begins with signals that no filter has seen: write `bandpass: null`",
        ),
        (
            {},
            {"notch": {}},
            r"preprocess\.notch: input begins with signals that no filter has seen: write `notch: null`",
        ),
        ({"record": []}, {}, None),
        (
            {"record": []},
            {"sampling_rate": 250},
            r"input: 500 Hz are wanted, and preprocess\.sampling_rate is 250 Hz: "
            r"write `record: \[\{step: resample, rate: 500\}\]`",
        ),
        (
            {"record": [{"step": "resample", "rate": 500, "method": "every"}]},
            {"sampling_rate": 750},
            r"input\.record\.0: resample: method: every: 750 Hz is no multiple of 500 Hz",
        ),
        (
            {"record": [{"step": "notch"}, {"step": "resample", "rate": 500}]},
            {"sampling_rate": 100},
            r"input\.record\.0: notch: frequency: 50 Hz is not below 50 Hz",
        ),
    ],
)
def test_prepared_signals_that_it_cannot_be_made_of(
    more: dict[str, Any], preprocess: dict[str, Any], message: str | None
) -> None:
    config, prepared = contract(**more), parse(PreprocessConfig, preprocess, "config.yaml")
    if message is None:
        check_input(config, prepared, "input")
        return
    with pytest.raises(UserError, match=f"^{message}"):
        check_input(config, prepared, "input")


def test_raw_windows_keep_leads_and_rate_alone() -> None:
    raw = parse(InputConfig, CONTRACTS["ecg-founder"], "e.yaml").raw(2.5)
    assert (raw.unit, raw.window_seconds, raw.sampling_rate, raw.window_samples) == ("mV", 2.5, 500, 1250)
    assert [step.step for step in raw.record] == ["resample"]
    assert raw.millivolts
    merl = parse(InputConfig, CONTRACTS["merl-vit"], "e.yaml").raw(2.5)
    assert [step.step for step in merl.record] == ["resample"]  # nothing is padded
    assert merl.leads[4:6] == ["aVF", "aVL"]
    st_mem = parse(InputConfig, CONTRACTS["st-mem"], "e.yaml").raw(2.4)
    assert (st_mem.window, st_mem.window_samples) == ([], 600)
    jepa = parse(InputConfig, CONTRACTS["ecg-jepa"], "e.yaml")
    assert jepa.raw(10.0) == jepa  # which reads raw millivolts anyhow
