"""The test vector of a bundle: an invented recording, and what the Python pipeline makes of it.

Shapes: n samples, w windows, l leads, k labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ecglfm.config import LEADS, UserError
from ecglfm.data.signals import preprocess
from ecglfm.records import Record
from ecglfm.sources.synthesis import INDEPENDENT_LEADS, generator, sinus_rhythm

if TYPE_CHECKING:
    from ecglfm.models.heads import ECGModel

SECONDS = 10.0
GAP_SECONDS = (3.0, 3.05)  # of V5, where samples are missing
OFFSET_MV, WANDER_MV, WANDER_HZ = 0.1, 0.2, 0.15
HUM_MV, MAINS_HZ = 0.01, (50.0, 60.0)
NOISE_MV = 0.005


class Example(NamedTuple):
    """A recording and what comes of it.

    Attributes
    ----------
    signal : ndarray of float64, shape (12, n)
        Millivolts, whole microvolts, in the order of `ecglfm.config.LEADS`; NaN where a sample is missing.
    windows : ndarray of float32, shape (w, l, samples)
        What the encoder reads.
    outputs : ndarray of float64, shape (k,)
        What the model says of the recording.
    """

    signal: np.ndarray
    windows: np.ndarray
    outputs: np.ndarray

    def to_json(self, decimals: int = 3) -> dict[str, Any]:
        """Lists of numbers, of windows with so many decimals, 3 for microvolts; null where a sample is missing."""
        signal = [[None if np.isnan(each) else each for each in lead] for lead in self.signal.tolist()]
        windows = np.round(self.windows.astype(np.float64), decimals).tolist()
        return {"signal": signal, "windows": windows, "outputs": self.outputs.tolist()}

    @classmethod
    def from_json(cls, content: Any) -> Example:
        """The same from `to_json`; raises `ValueError` or `TypeError` where that is not what it is."""
        signal, windows, outputs = (content[key] for key in ("signal", "windows", "outputs"))
        return cls(np.array(signal, np.float64), np.array(windows, np.float32), np.array(outputs, np.float64))


def make_example(model: ECGModel, rate: float) -> Example:
    """Ten seconds, or one window of the model where that is longer, of a heart that nobody has.

    Raises
    ------
    UserError
        The model's own policy of quality would drop it.
    """
    from ecglfm.training.inference import evaluating, outputs_by_record

    signal = invented(rate, seconds=max(SECONDS, model.encoder.crop_seconds))
    try:
        windows = preprocess(Record(signal, LEADS, rate), model)
    except UserError as error:
        raise UserError(f"no test vector: by the model's own preprocessing its {error}") from None
    with evaluating(model) as device:
        each = model.outputs(model(windows.to(device)).float()).cpu().numpy()
    outputs = model.calibrated(outputs_by_record(model, np.zeros(len(windows), np.int64), each))[0]
    return Example(np.ascontiguousarray(signal.T), windows.numpy(), outputs.astype(np.float64))


def risks_within(model: ECGModel, outputs: np.ndarray) -> dict[str, list[list[tuple[float, float]]]]:
    """`within`: of each label its times and the risk until then, as `predict` says it; nothing of other kinds."""
    if not model.baselines:
        return {}
    pairs = zip(model.baselines, outputs, strict=True)
    return {
        "within": [
            [] if one is None else [(time, float(one.probability(value, time))) for time in one.horizons]
            for one, value in pairs
        ]
    }


def invented(rate: float, *, seconds: float) -> np.ndarray:
    """A sinus rhythm with what each step is there for: a short gap, an offset, wander, hum of both mains, noise.

    Returns
    -------
    ndarray of float64, shape (n, 12)
        Millivolts, whole microvolts.
    """
    clean = sinus_rhythm(seconds=seconds, rate=rate).T
    at = np.arange(len(clean))[:, None] / rate
    eight = clean + OFFSET_MV + WANDER_MV * np.sin(2 * np.pi * WANDER_HZ * at)
    eight += HUM_MV * sum(np.sin(2 * np.pi * frequency * at) for frequency in MAINS_HZ)
    eight += NOISE_MV * generator(1).standard_normal(eight.shape)
    twelve = np.round(Record(eight, INDEPENDENT_LEADS, rate).standard().signal, 3)
    first, last = (round(second * rate) for second in GAP_SECONDS)
    twelve[first:last, LEADS.index("V5")] = np.nan
    return twelve
