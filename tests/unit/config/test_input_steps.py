"""Steps of an input contract in a config: units, mistakes, and what they need of rate and leads."""

from __future__ import annotations

from typing import Any

import pytest

from ecglfm.config import InputConfig, UserError, parse
from ecglfm.config.base import Section, choices, tag
from ecglfm.config.documentation import _rows


def contract(*record: dict[str, Any], window: list[dict[str, Any]] | None = None, **more: Any) -> InputConfig:
    content = {"leads": ["I", "II"], "sampling_rate": 500, "window_seconds": 10, "record": list(record)}
    return parse(InputConfig, content | {"window": window or []} | more, "e.yaml")


def test_steps_stand_in_their_order() -> None:
    config = contract({"step": "notch"}, {"step": "butterworth", "low": 0.5, "order": 3}, {"step": "notch"})
    assert [step.step for step in config.record] == ["notch", "butterworth", "notch"]
    assert contract(**{"record": config.model_dump()["record"]}) == config  # what a file of it says


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"step": "nocth"}, r"record\.0: step 'nocth' is none of 'resample', 'pad', 'butterworth',"),
        ({"rate": 250}, r"record\.0: write which `step` it is"),
        ({"step": "decimate", "factor": 5}, r"record\.0: step 'decimate' is none of"),
        ({"step": "notch", "rate": 3}, r"record\.0\.rate: step 'notch' has no key 'rate'; leave it out"),
        ({"step": "butterworth", "order": 3}, r"record\.0: .*has a cut-off: write `low`, `high` or both"),
        (
            {"step": "butterworth", "low": 40, "high": 40, "order": 3},
            r"record\.0: .*low: 40 Hz is not below high: 40 Hz",
        ),
        ({"step": "butterworth", "low": 1, "order": 9}, r"record\.0\.order: .*less than or equal to 8"),
        ({"step": "fir", "low": 1, "high": 40, "taps": 150}, r"record\.0: .*taps: 150 is even"),
        ({"step": "fir", "low": 41, "high": 40, "taps": 151}, r"record\.0: .*low: 41 Hz is not below high: 40 Hz"),
        (
            {"step": "pad", "seconds": 61},
            r"record\.0\.seconds: .*less than or equal to 60",
        ),  # so much memory, whoever says it
        ({"step": "min_max", "low": -2}, r"record\.0\.low: .*0 or -1"),
        ({"step": "median_baseline", "seconds": []}, r"record\.0\.seconds: .*at least 1"),
        (
            {"step": "constants", "lower": [1, 1], "upper": [0, 2], "mean": [0, 0], "deviation": [1, 1]},
            r"record\.0: .*lower: 1 is above upper: 0",
        ),
    ],
)
def test_a_mistake_is_one_line_at_its_key(step: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"^e\.yaml: {message}") as error:
        contract(step)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"step": "butterworth", "high": 250, "order": 2}, "butterworth: high: 250 Hz is not below 250 Hz, half of the rate"),
        ({"step": "butterworth", "low": 300, "order": 2}, "butterworth: low: 300 Hz is not below 250 Hz"),
        ({"step": "notch", "frequency": 260}, "notch: frequency: 260 Hz is not below 250 Hz"),
        ({"step": "fir", "low": 1, "high": 251, "taps": 3}, "fir: high: 251 Hz is not below 250 Hz"),
        ({"step": "constants", **{key: [1.0] for key in ("lower", "upper", "mean", "deviation")}}, "constants: lower: 1 numbers for 2 leads"),
        ({"step": "limb_leads"}, None),
    ],
)  # fmt: skip
def test_what_a_step_needs(step: dict[str, Any], message: str | None) -> None:
    found = contract(step).misfit(500)  # with the rate of prepared signals, which the file does not say
    assert (found or "").startswith(f"record.0: {message}" if message else "")
    assert (found is None) == (message is None)


def test_every_k_th_sample_and_limb_leads_need_theirs() -> None:
    every = contract({"step": "resample", "rate": 500, "method": "every"})
    assert every.misfit(1000) is None
    assert every.misfit(1250) == (
        "record.0: resample: method: every: 1250 Hz is no multiple of 500 Hz: prepare signals at one"
        " (`preprocess.sampling_rate`), or in an `input` of your own write `method: polyphase`"
    )
    with pytest.raises(UserError, match=r"e\.yaml: \(whole file\): record\.1: limb_leads: II is not in `leads`"):
        contract({"step": "resample", "rate": 500}, {"step": "limb_leads"}, leads=["I", "V1"])


def test_pages_have_a_row_for_every_key_of_every_step() -> None:
    class Page(Section):
        input: InputConfig

    rows = "\n".join(_rows(Page, ""))
    steps = choices(InputConfig.model_fields["record"]) | choices(InputConfig.model_fields["window"])
    assert len(steps) == 12
    assert tag(InputConfig.model_fields["record"]) == "step"
    assert tag(InputConfig.model_fields["leads"]) == ""
    for name, section in steps.items():
        assert f"`{name}`: {section.model_fields['step'].description}" in rows
        for key, field in section.model_fields.items():
            assert f".{key}`" in rows
            assert field.description
    assert "| `input.window.factor` | whole number | required | `decimate` only: k |" in rows
    assert rows.count(".quality`") == 1  # a step's keys stand once, where it is first named
