"""Names of leads in any spelling."""

from __future__ import annotations

import pytest

from ecglfm.records import normalize_lead


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AVR", "aVR"), ("avf ", "aVF"), ("Lead II", "II"), ("v1", "V1"), ("MLIII", "III"), (" vx ", "vx"),
        ("I (mV)", "I"), ("LeadI", "I"), ("EKG I", "I"), ("V01", "V1"), ("D1", "I"), ("D2", "II"), ("D3", "III"),
        ("MDC_ECG_LEAD_AVR", "aVR"), ("V1 [\u03bcV]", "V1"), ("aV F", "aVF"),
        # and other leads, whose names are only like these
        ("-aVR", "-aVR"), ("Lead -aVR", "Lead -aVR"), ("-I", "-I"), ("I-II", "I-II"), ("V", "V"), ("V7", "V7"),
        ("V10", "V10"), ("VR", "VR"), ("C1", "C1"), ("D4", "D4"), ("lead 1", "lead 1"), ("IV", "IV"), ("", ""),
    ],
)  # fmt: skip
def test_lead_names(name: str, expected: str):
    assert normalize_lead(name) == expected


def test_a_name_that_is_long_beyond_all_bounds_is_not_looked_at():
    """The unit behind a name was looked for from each `_` on: a million of them took hours."""
    assert normalize_lead(" " + "_" * 10**6) == "_" * 10**6
