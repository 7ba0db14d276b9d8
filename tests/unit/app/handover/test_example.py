"""The test vector is an ECG that every step of the preprocessing changes."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.app.handover.example import Example, invented
from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.data.signals import prepare
from ecglfm.records import to_microvolts


@pytest.mark.parametrize("rate", [500.0, 257.0])
def test_it_passes_every_test_of_quality_at_any_rate(rate: float):
    signal = invented(rate, seconds=10.0)
    assert signal.shape == (round(10 * rate), 12)
    found = prepare(to_microvolts(signal), rate, PreprocessConfig())
    assert (found.dropped, found.flags) == (None, {})
    assert np.isnan(signal).any(axis=0).tolist() == [lead == "V5" for lead in LEADS]
    np.testing.assert_allclose(signal[:, 0] + signal[:, 2], signal[:, 1], atol=0.0021)  # Einthoven, rounded


@pytest.mark.parametrize(
    "step", [{"bandpass": {"low": 0.5, "high": 240.0}}, {"bandpass": {"low": 0.01, "high": 100.0}},
             {"notch": {"frequency": 50.0}}, {"notch": {"frequency": 60.0}}]
)  # fmt: skip
def test_each_filter_is_seen(step: dict):
    """More than the tolerance of a microvolt: a graph without it would be found out."""
    signal = to_microvolts(invented(500.0, seconds=10.0))
    plain, filtered = (prepare(signal, 500.0, PreprocessConfig(**each)).signal for each in ({}, step))
    assert np.abs(filtered[1000:-1000].astype(int) - plain[1000:-1000]).max() > 5


def test_there_and_back():
    signal = np.array([[0.001, np.nan, -1.5]])
    example = Example(signal, np.array([[[0.123, 32.767]]], np.float32), np.array([0.25, 1e-9]))
    for before, after in zip(example, Example.from_json(example.to_json()), strict=True):
        np.testing.assert_array_equal(before, after)
        assert before.dtype == after.dtype
