"""Ways in which a copy of a recording differs from it: what `benchmark audit` plants, and the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: A copy of a recording of 12 leads in the standard order: microvolts, (n_samples, 12).
Way = Callable[["np.ndarray", "np.random.Generator"], "np.ndarray"]

#: Hz.
RATE = 500
#: Leads as they are recorded with the arm electrodes swapped (then lead I is upside down), V1 with V2, V1-V6 reversed.
_ARMS, _V1_V2, _REVERSED = (
    [0, 2, 1, 4, 3, 5, 6, 7, 8, 9, 10, 11],
    [0, 1, 2, 3, 4, 5, 7, 6, 8, 9, 10, 11],
    [0, 1, 2, 3, 4, 5, 11, 10, 9, 8, 7, 6],
)


def _resampled(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from scipy.signal import resample_poly

    return resample_poly(resample_poly(signal, 4, 5, axis=0), 5, 4, axis=0)


def _later(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return signal[rng.integers(1, 4 * RATE) :]


def _faster(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from scipy.signal import resample_poly

    return resample_poly(signal, 100, 101, axis=0)


def _band(low: float, high: float) -> Way:
    def filtered(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        from scipy.signal import butter, sosfiltfilt

        return sosfiltfilt(butter(2, [low, high], "bandpass", fs=RATE, output="sos"), signal, axis=0)

    return filtered


def _noise(decibels: float) -> Way:
    """White noise in each lead, so much below the lead's own standard deviation."""
    return lambda signal, rng: signal + rng.normal(0, 1, signal.shape) * signal.std(axis=0) * 10 ** (-decibels / 20)


def _wander(millivolts: float) -> Way:
    """A sine of 0.15-0.4 Hz in each lead, of its own phase."""

    def wandering(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        import numpy as np

        time = np.arange(len(signal))[:, None] / RATE
        turns = rng.uniform(0.15, 0.4) * time + rng.random((1, signal.shape[1]))
        return signal + 1000 * millivolts * np.sin(2 * np.pi * turns)

    return wandering


def _steps(microvolts: float) -> Way:
    return lambda signal, rng: microvolts * (signal / microvolts).round()


def _arms_swapped(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    import numpy as np

    return signal[:, _ARMS] * np.where(np.arange(12) == 0, -1, 1)


def _middle(seconds: float) -> Way:
    def excerpt(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        begin = (len(signal) - round(seconds * RATE)) // 2
        return signal[begin : begin + round(seconds * RATE)]

    return excerpt


#: Each way by its name.
WAYS: dict[str, Way] = {
    "identical": lambda signal, rng: signal,
    "gain 0.3-2": lambda signal, rng: signal * rng.uniform(0.3, 2.0),
    "begins up to 4 s later": _later,
    "500 to 400 to 500 Hz": _resampled,
    "begins later, resampled": lambda signal, rng: _resampled(_later(signal, rng), rng),
    "band 0.5-40 Hz": _band(0.5, 40),
    "band 1-30 Hz": _band(1, 30),
    "white noise, 20 dB": _noise(20),
    "white noise, 15 dB": _noise(15),
    "white noise, 12 dB": _noise(12),
    "white noise, 10 dB": _noise(10),
    "wander of 0.5 mV": _wander(0.5),
    "wander of 1 mV": _wander(1),
    "wander of 2 mV": _wander(2),
    "steps of 5 uV": _steps(5),
    "steps of 50 uV": _steps(50),
    "steps of 100 uV": _steps(100),
    "inverted": lambda signal, rng: -signal,
    "arm electrodes swapped": _arms_swapped,
    "V1 and V2 swapped": lambda signal, rng: signal[:, _V1_V2],
    "V1-V6 reversed": lambda signal, rng: signal[:, _REVERSED],
    "arms swapped, 12 dB, begins later": lambda signal, rng: _noise(12)(_arms_swapped(_later(signal, rng), rng), rng),
    "middle 5 s": _middle(5),
    "middle 3 s": _middle(3),
    "clock 1 % fast": _faster,
}
