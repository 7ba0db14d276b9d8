"""A graph makes of prepared signals what `EncoderInput` makes, step by step and contract by contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from ecglfm.app.handover.preprocessing import make_preprocessing
from ecglfm.config import InputConfig, PreprocessConfig, UserError, parse
from ecglfm.data.signals import EncoderInput
from ecglfm.models.importers.contracts import CONTRACTS

LEADS = ["II", "I", "V1", "aVF"]


def compare(content: dict[str, Any], *signals: np.ndarray, tolerance: float, **preprocess: Any) -> None:
    """Windows by the graph and by Python, of signals in mV (12, samples)."""
    config, prepared = parse(InputConfig, content, "e.yaml"), PreprocessConfig(**preprocess)
    rate = prepared.sampling_rate
    model = make_preprocessing(prepared, rate=rate, crop_samples=config.window_samples, contract=config)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given, every = EncoderInput(config, prepared), PreprocessConfig().leads
    cut = config.window_samples * given.factor
    for signal in signals:
        (found,) = session.run(["windows"], {"signal": signal})
        columns = [every.index(lead) for lead in prepared.leads]
        record = given.record(np.rint(signal[columns] * 1000).astype(np.int16).T)
        count = max(1, len(record) // cut)
        expected = np.stack([given.window(record[start * cut : (start + 1) * cut]).T for start in range(count)])
        assert found.dtype == np.float32
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=tolerance, rtol=0)


def walks(*lengths: int) -> list[np.ndarray]:
    """Far from 0 at their ends, in whole microvolts, at most some millivolts; V1 never moves, aVL is absent."""
    rng = np.random.default_rng(0)
    signals = [np.cumsum(rng.normal(0, 0.02, (12, length)), axis=1) + rng.normal(0, 1, (12, 1)) for length in lengths]
    for signal in signals:
        signal[6], signal[4] = 0.3, 0.0
    return [np.clip(signal, -30, 30).round(3) for signal in signals]


CONSTANTS = {"lower": [-1, -2, -3, -0.5], "upper": [1, 2, 3, 0.5], "mean": [0, 1, 2, 3], "deviation": [0.5, 1, 2, 4]}
ANYWHERE: list[list[dict[str, Any]]] = [
    [{"step": "butterworth", "low": 0.67, "order": 5}, {"step": "butterworth", "high": 40, "order": 5}],
    [{"step": "butterworth", "low": 0.67, "high": 40, "order": 4, "form": "ba"}],
    [{"step": "notch"}],
    [{"step": "fir", "low": 0.5, "high": 47, "taps": 151}],
    [{"step": "median_baseline", "seconds": [0.2, 0.5]}],
    [{"step": "median_baseline", "seconds": [0.2], "edges": "nearest"}],
    [{"step": "standardize", "constant": 7.0}, {"step": "standardize", "over": "all", "epsilon": 0.1}],
    [{"step": "butterworth", "low": 0.67, "order": 2}, {"step": "standardize", "constant": 7.0}],
    [{"step": "min_max"}, {"step": "min_max", "over": "all", "low": -1}],
    [{"step": "constants", **CONSTANTS}, {"step": "scale", "per_millivolt": 204.918, "round": True}],
    [{"step": "scale", "per_millivolt": 3.0}, {"step": "limb_leads"}],
]
#: More than one window, a remainder; shorter than one; shorter than filters' edges.
LENGTHS = (1107, 260, 11)


@pytest.mark.parametrize("steps", ANYWHERE, ids=lambda steps: "+".join(step["step"] for step in steps))
@pytest.mark.parametrize("scope", ["record", "window"])
def test_steps_over_the_recording_and_over_windows(steps: list[dict[str, Any]], scope: str) -> None:
    content = {"leads": LEADS, "sampling_rate": 500, "window_seconds": 1, scope: steps}
    compare(content, *walks(*LENGTHS), tolerance=2e-6)


@pytest.mark.parametrize(
    ("keys", "rates"),
    [
        ({}, (250, 500, 1000)),
        ({"ends": "zeros"}, (250, 500, 1000)),
        ({"method": "fourier"}, (250, 500, 1000)),
        ({"method": "linear"}, (250, 500, 1000)),
        ({"method": "every"}, (250, 500)),
    ],
)
def test_resampling(keys: dict[str, Any], rates: tuple[int, ...]) -> None:
    for rate in rates:
        resampled(keys, rate)


def resampled(keys: dict[str, Any], rate: int) -> None:
    content = {
        "leads": LEADS,
        "sampling_rate": rate,
        "window_seconds": 1,
        "record": [{"step": "resample", "rate": rate} | keys],
    }
    compare(content, *walks(1107, 1000, 261, 3), tolerance=2e-6)


@pytest.mark.parametrize("joined", [True, False])
def test_decimation_and_padding(joined: bool) -> None:
    decimate = {"step": "decimate", "factor": 5, "joined": joined}
    content = {"leads": LEADS, "sampling_rate": 100, "window_seconds": 1, "window": [decimate]}
    compare(content, *walks(1107, 263), tolerance=2e-6)
    for where in ("behind", "both"):
        pad = {"step": "pad", "seconds": 0.601, "where": where}
        compare(content | {"record": [pad]}, *walks(1107, 263), tolerance=2e-6)


def test_leads_that_are_computed() -> None:
    content = {"leads": ["aVR", "V1", "II", "I"], "sampling_rate": 500, "window_seconds": 1}
    compare(content, *walks(700), tolerance=0, leads=["III", "V1", "aVF"])
    compare(content, *walks(700), tolerance=0, leads=["aVL", "V1", "aVF"])  # of which one is absent


@pytest.mark.parametrize("method", sorted(set(CONTRACTS) - {"merl-vit"}))
def test_published_contracts(method: str, peers: Path) -> None:
    signal = np.load(peers / "raw.npz")["mv"][0].astype(float).round(3)
    compare(CONTRACTS[method], signal, tolerance=1e-5)


def test_what_no_graph_can_do_is_refused_in_one_line() -> None:
    steep = {"step": "butterworth", "low": 0.05, "order": 4, "form": "ba"}
    content = {"leads": LEADS, "sampling_rate": 500, "window_seconds": 1, "record": [{"step": "notch"}, steep]}
    refused = (
        r"^input\.record\.1: butterworth: its `form: ba` differs from second-order sections by \S+, of which alone"
    )
    with pytest.raises(UserError, match=refused) as error:
        compare(content, *walks(100), tolerance=0)
    assert "\n" not in str(error.value)
    odd = {"leads": LEADS, "sampling_rate": 4999, "window_seconds": 1, "record": [{"step": "resample", "rate": 4999}]}
    with pytest.raises(
        UserError, match=r"^input\.record\.0: from 5003 to 4999 Hz is a step of \S+, too large a filter"
    ):
        compare(odd, *walks(100), tolerance=0, sampling_rate=5003)
