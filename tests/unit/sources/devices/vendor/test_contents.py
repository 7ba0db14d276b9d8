"""What is taken from what a file says."""

from __future__ import annotations

import math

import pytest

from ecglfm.records import RecordError
from ecglfm.sources.devices.vendor.contents import NATIVE, check_alike, make_head


def test_ids_and_ages_that_say_nothing() -> None:
    assert make_head(path="a", patient=" Removed ").patient == ""
    assert make_head(path="a", patient=" 0007 ").patient == "0007"
    assert [make_head(path="a", sex=sex).sex for sex in ("M", "F", "U", "O", "")] == [
        "male",
        "female",
        None,
        None,
        None,
    ]
    assert [make_head(path="a", age=age).age for age in (61.25, 200, -1)] == pytest.approx(
        [61.25, math.nan, math.nan], nan_ok=True
    )


def test_native_columns_are_always_the_same() -> None:
    head = make_head(path="a", native={"format": "EDF", "heart_rate": 70, "model": ""})
    assert tuple(head.native) == NATIVE
    assert {key: value for key, value in head.native.items() if value} == {"format": "EDF", "heart_rate": "70"}


def test_leads_that_differ() -> None:
    assert check_alike("Hz", [500.0, 500.0], "a") == 500
    with pytest.raises(RecordError, match="header_invalid: a: leads of 500 250 Hz"):
        check_alike("Hz", [500.0, 250.0], "a")
