"""Prepared signals become what an encoder reads, or stay what they are."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import resample_poly

from ecglfm.config import LEADS, InputConfig, PreprocessConfig, UserError
from ecglfm.data.samples import Held, to_millivolts
from ecglfm.data.signals import as_read, shown_mv

PREPARED = PreprocessConfig()
SAME = {"leads": list(LEADS), "sampling_rate": 500, "window_seconds": 2}


def reads(**keys: object) -> SimpleNamespace:
    return SimpleNamespace(input=InputConfig.model_validate(keys) if keys else None, preprocess=PREPARED)


@pytest.fixture
def held() -> Held:
    rng = np.random.default_rng(0)
    return Held([rng.integers(-3000, 3000, (samples, 12)).astype(np.int16) for samples in (2500, 700)])


def test_without_a_contract_they_stay(held: Held) -> None:
    assert as_read(held, reads()) is held


def test_a_contract_that_does_nothing_gives_the_same_millivolts(held: Held) -> None:
    windows = held.windows(1000)
    rows, starts = windows["row"].to_numpy(), windows["start"].to_numpy()
    read = as_read(held, reads(**SAME))
    assert read.windows(1000).equals(windows)
    found = to_millivolts(read.crops(rows, starts, 1000))
    assert np.array_equal(found, to_millivolts(held.crops(rows, starts, 1000)))


def test_what_cannot_be_made_is_refused(held: Held) -> None:
    with pytest.raises(UserError, match=r"input: 250 Hz are wanted, and preprocess.sampling_rate is 500 Hz"):
        as_read(held, reads(**SAME | {"sampling_rate": 250}))


@pytest.mark.parametrize("seconds", [2, 4])
def test_what_is_shown_has_the_encoders_time_and_leads_and_is_in_mv(seconds: float) -> None:
    """Also behind the last whole window, and of a recording that is padded."""
    signal = np.random.default_rng(1).integers(-3000, 3000, (1750, 12)).astype(np.int16)  # 3.5 s
    record = [
        {"step": "resample", "rate": 250, "method": "polyphase"},
        {"step": "scale", "per_millivolt": 200},
        {"step": "pad", "seconds": 3.8},
    ]
    encoder = reads(
        leads=["V1", "I"], sampling_rate=250, window_seconds=seconds, record=record, window=[{"step": "standardize"}]
    )
    shown = shown_mv(signal, encoder)
    assert shown.shape == (950, 2)
    ends = 25  # where the filter reaches beyond the recording
    expected = resample_poly(signal[:, [6, 0]] / 1000.0, 1, 2)
    np.testing.assert_allclose(shown[ends : 875 - ends], expected[ends:-ends], atol=1e-5)
    assert not shown[875:].any()
    assert as_read(Held([signal]), encoder).n_samples.tolist() == [950]
    assert np.array_equal(shown_mv(signal, reads()), signal / 1000.0)
