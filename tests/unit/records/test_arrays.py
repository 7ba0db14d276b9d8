"""A recording of an array is what a file of the same numbers would be, or a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ecglfm
from ecglfm.config import LEADS, UserError

SAMPLES = np.array([[1, 2], [3, -4], [5, 6]])


@pytest.mark.parametrize(("unit", "millivolts"), [("V", 1000.0), ("mV", 1.0), ("uV", 1e-3), ("nV", 1e-6)])
def test_columns_are_leads_in_millivolts(unit: str, millivolts: float):
    kinds = (SAMPLES, SAMPLES.astype(np.int16), SAMPLES.astype(np.float32), SAMPLES.tolist(), torch.tensor(SAMPLES))
    for signal in kinds:
        record = ecglfm.as_record(signal, np.array(["v1", "Lead aVR"]), np.float32(400), unit=unit)
        np.testing.assert_allclose(record.signal, SAMPLES * millivolts)
        assert (record.signal.dtype, record.leads, record.sampling_rate) == (np.float64, ("V1", "aVR"), 400.0)


def test_the_array_is_not_the_recordings():
    mine = np.array([[1.0, np.nan], [3, 4]])
    record = ecglfm.as_record(mine, ["I", "II"], 500)
    mine[:] = 7
    np.testing.assert_array_equal(record.signal, [[1, np.nan], [3, 4]])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"signal": np.zeros((12, 5000))},
            r"shape \(12, 5000\), but \(samples, leads\).*; give its transpose, signal.T",
        ),
        (
            {"signal": np.zeros((5000, 11))},
            r"shape \(5000, 11\), but \(samples, leads\) with the 12 of `leads` is read$",
        ),
        ({"signal": np.zeros(12)}, r"shape \(12,\)"),
        ({"signal": np.zeros((1, 5000, 12))}, r"shape \(1, 5000, 12\)"),
        ({"signal": np.zeros((9, 12), complex)}, "an array of complex128; give numbers"),
        ({"signal": [["1"] * 12]}, "an array of <U1; give numbers"),
        ({"signal": [[1] * 12, [2]]}, "signal is no array: "),
        ({"leads": "I II III"}, "leads is 'I II III'; name each column"),
        ({"leads": None}, "leads is 'None'"),
        ({"leads": range(12)}, "name each column"),
        ({"sampling_rate": "500"}, "sampling_rate is '500'; say a number of Hz"),
        ({"sampling_rate": 0}, "sampling_rate is 0"),
        ({"sampling_rate": float("nan")}, "sampling_rate is nan"),
        ({"sampling_rate": None}, "sampling_rate is None"),
        ({"unit": "mv"}, "unit is 'mv'; say one of V, mV, uV, nV"),
    ],
)
def test_what_is_no_recording_is_a_sentence(change: dict[str, Any], sentence: str):
    given = {"signal": np.zeros((5000, 12)), "leads": LEADS, "sampling_rate": 500, "unit": "mV"} | change
    with pytest.raises(UserError, match=sentence):
        ecglfm.as_record(**given)
