"""The graph gives what `prepare` gives, to the microvolt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ecglfm.app.handover.preprocessing import make_preprocessing
from ecglfm.config import PreprocessConfig, UserError
from ecglfm.data.signals import prepare
from ecglfm.records import Record, to_microvolts
from ecglfm.sources.files import read_record

#: Nothing is dropped: what the graph does not judge is compared, too.
KEEP = {
    "missing_leads": {"limit": 12},
    "missing_fraction": {"limit": 1},
    "amplitude": {"lowest": 0, "highest": 99},
}
FILTERED = PreprocessConfig(
    sampling_rate=250,
    leads=["V1", "II", "aVF"],
    bandpass={"low": 0.67, "high": 40.0, "order": 4},
    notch={},
    quality=KEEP,
)
PLAIN = PreprocessConfig(quality=KEEP)
MADE: dict[tuple[str, float, int], onnxruntime.InferenceSession] = {}


def by_graph(config: PreprocessConfig, rate: float, signal: np.ndarray, *, crop: int) -> np.ndarray:
    key = config.model_dump_json(), rate, crop
    if key not in MADE:
        model = make_preprocessing(config, rate=rate, crop_samples=crop)
        MADE[key] = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (windows,) = MADE[key].run(None, {"signal": np.ascontiguousarray(signal.T)})
    return windows


def by_python(config: PreprocessConfig, rate: float, signal: np.ndarray, *, crop: int) -> np.ndarray:
    """The windows that do not overlap, cut here once more."""
    absent = np.isnan(signal).all(axis=0)
    prepared = prepare(to_microvolts(signal), rate, config, lead_mask=sum(1 << k for k in np.flatnonzero(~absent)))
    assert prepared.dropped is None
    samples = prepared.signal.astype(np.float32) / 1000
    if len(samples) < crop:
        return samples.T[None]
    return np.stack([samples[start : start + crop].T for start in range(0, len(samples) - crop + 1, crop)])


def wandering(rate: float, seconds: float) -> np.ndarray:
    """Noise of a few millivolts, far from 0 at its ends, with gaps of every kind."""
    rng = np.random.default_rng(0)
    n = round(rate * seconds)
    signal = np.cumsum(rng.normal(0, 0.05, (n, 12)), axis=0) + rng.normal(0, 1, 12)
    signal[: round(0.1 * rate), 1] = np.nan  # the beginning, the end
    signal[-round(0.1 * rate) :, 5] = np.nan
    signal[round(rate) : round(1.2 * rate), 6] = np.nan  # as long as may be interpolated, and one sample longer
    signal[round(2 * rate) : round(2.2 * rate) + 1, 6] = np.nan
    signal[round(2.5 * rate) :: 7, 1] = np.nan  # many single ones
    signal[round(1.5 * rate), 6] = 40.0  # beyond what is stored
    signal[:, 9] = np.nan
    return signal


@pytest.mark.parametrize("rate", [500.0, 400.0, 257.0, 1000.0, 128.0])
@pytest.mark.parametrize(("config", "crop"), [(PLAIN, 1000), (FILTERED, 600)])
def test_as_prepare_at_any_rate(config: PreprocessConfig, crop: int, rate: float):
    signal = wandering(rate, 5.3)
    expected = by_python(config, rate, signal, crop=crop)
    found = by_graph(config, rate, signal, crop=crop)
    assert found.dtype == np.float32
    assert found.shape == expected.shape == (2, len(config.leads), crop)
    np.testing.assert_array_less(np.abs(found - expected), 0.00101)
    assert (found != expected).mean() < 1e-4


def test_a_recording_shorter_than_a_window_is_one_of_its_own_length():
    signal = wandering(500, 3.0)
    found = by_graph(FILTERED, 500, signal, crop=5000)
    np.testing.assert_allclose(found, by_python(FILTERED, 500, signal, crop=5000), atol=0.00101)
    assert found.shape == (1, 3, 750)


def test_too_short_for_the_filters_is_refused_and_not_filtered_wrongly():
    with pytest.raises(Exception, match="indices element out of data bounds"):
        by_graph(FILTERED, 250, np.zeros((20, 12)), crop=500)


def test_genuine_recordings(real_data: Path):
    names = [
        *sorted((real_data / "ptb-xl/records500").rglob("*.hea"))[:6],
        *sorted((real_data / "challenge-2021").rglob("*.hea"))[::6],
    ]
    assert len(names) >= 10
    for path in names:
        record = read_record(path)
        assert isinstance(record, Record)
        signal, rate = record.standard().signal, record.sampling_rate
        for config in (PLAIN, FILTERED):
            found = by_graph(config, rate, signal, crop=500)
            np.testing.assert_allclose(
                found, by_python(config, rate, signal, crop=500), atol=0.00101, err_msg=str(path)
            )


@pytest.mark.parametrize(("rate", "message"), [(10.0, "outside 20 to 20000 Hz"), (500.1, "a step of .*nominal rate")])
def test_a_rate_that_no_graph_is_made_for(rate: float, message: str):
    with pytest.raises(UserError, match=message):
        make_preprocessing(PLAIN, rate=rate, crop_samples=500)
