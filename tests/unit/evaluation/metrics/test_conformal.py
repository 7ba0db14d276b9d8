"""Realised coverage by hand: patients count once, and the interval is that of their number."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy.stats import binomtest

from ecglfm.evaluation.metrics.conformal import set_metrics


def test_coverage_and_sizes_by_hand() -> None:
    table = pd.DataFrame(
        {
            "split": ["valid"] + ["test"] * 7,
            "patient_id": list("zaabcdde"),
            "target.x": [1, 1, 1, 1, 1, 0, 0, None],
            "set.x": ["absent", "present", "absent", "either", "neither", "absent", "present", "either"],
            "target.y": 0.0,
            "set.y": "too few",
        }
    )
    found = set_metrics(table, ["x", "y"], 0.9, 0.95)
    assert found["coverage"] == 0.9
    assert found["labels"]["y"] == {"reason": "too few patients in the validation split"}
    x = found["labels"]["x"]
    assert (x["present"]["coverage"], x["present"]["patients"]) == (0.5, 3)  # a by half, b, not c
    assert (x["absent"]["coverage"], x["absent"]["patients"]) == (0.5, 1)
    assert x["sets"] == pytest.approx({"present": 2 / 7, "absent": 2 / 7, "either": 2 / 7, "neither": 1 / 7})
    table.loc[2, "set.x"] = "present"
    kept = set_metrics(table, ["x"], 0.9, 0.95)["labels"]["x"]["present"]
    exact = binomtest(2, 3).proportion_ci(0.95)
    assert (kept["coverage"], kept["ci_low"], kept["ci_high"]) == pytest.approx((2 / 3, exact.low, exact.high))


def test_no_patient_with_the_label() -> None:
    table = pd.DataFrame({"split": ["test"], "patient_id": ["a"], "target.x": [0.0], "set.x": ["absent"]})
    x = set_metrics(table, ["x"], 0.9, 0.95)["labels"]["x"]
    assert (x["present"]["coverage"], x["present"]["patients"]) == (None, 0)
    assert (x["absent"]["coverage"], x["absent"]["ci_high"]) == (1.0, 1.0)
