"""What files of recordings say of a person: ages in any unit, sexes in any word; the rest is tested with each kind."""

from __future__ import annotations

import math

import pytest

from ecglfm.sources.devices.recording_files import age_in_years, stated_sex


@pytest.mark.parametrize(
    ("age", "unit", "years"),
    [
        ("61", "YEARS", 61), ("061", "", 61), ("6", "MONTHS", 0.5), ("73", "DAYS", 73 / 365.25), ("3", "WEEKS", 21 / 365.25),
        ("12", "HOURS", 12 / 8766), ("", "YEARS", None), ("", "DAYS", None), ("-3", "MONTHS", None), ("x", "YEARS", None),
        ("999", "YEARS", None), ("5", "DECADES", None), ("nan", "DAYS", None),
    ],
)  # fmt: skip
def test_ages(age: str, unit: str, years: float | None):
    found = age_in_years(age, unit)
    assert math.isnan(found) if years is None else found == pytest.approx(years)


@pytest.mark.parametrize(
    ("text", "sex"), [("FEMALE", "female"), ("m", "male"), ("", None), ("UNKNOWN", None), ("XYZ", None)]
)
def test_sexes(text: str, sex: str | None):
    assert stated_sex(text) == sex
