"""Spoilt recordings are what they are called."""

from __future__ import annotations

import numpy as np

from ecglfm.benchmark.app.outliers import FORMS
from ecglfm.config import LEADS

AT = {lead: place for place, lead in enumerate(LEADS)}


def test_swapped_cables_are_what_the_textbook_says() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 100))
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    signal = np.stack([*limbs, *rng.normal(size=(6, 100))], axis=1)

    def spoilt(name: str) -> dict[str, np.ndarray]:
        return dict(zip(LEADS, FORMS[name][0](signal, rng).T, strict=True))

    true = dict(zip(LEADS, signal.T, strict=True))
    arms = {
        "I": -true["I"],
        "II": true["III"],
        "III": true["II"],
        "aVR": true["aVL"],
        "aVL": true["aVR"],
        "aVF": true["aVF"],
    }
    right = {"I": -true["III"], "II": -true["II"], "III": -true["I"], "aVR": true["aVF"], "aVF": true["aVR"]}
    left = {"I": true["II"], "II": true["I"], "III": -true["III"], "aVL": true["aVF"], "aVF": true["aVL"]}
    for name, wanted in (
        ("arms swapped", arms),
        ("right arm and left leg swapped", right),
        ("left arm and left leg swapped", left),
    ):
        found = spoilt(name)
        for lead, values in wanted.items():
            np.testing.assert_allclose(found[lead], values, atol=1e-12, err_msg=f"{name}, {lead}")
        np.testing.assert_array_equal(found["V3"], true["V3"])
    found = spoilt("V1-V6 reversed")
    np.testing.assert_array_equal(found["V1"], true["V6"])
    np.testing.assert_array_equal(found["V4"], true["V3"])
    np.testing.assert_array_equal(spoilt("lead II copied to all twelve")["V5"], true["II"])
