"""Beats whose waves are where a test put them."""

from __future__ import annotations

import numpy as np

#: Middle and width (sigma) of P, Q, R, S and T, s from R, and their heights in mV.
WAVES = ((-0.16, 0.018, 0.15), (-0.025, 0.008, -0.1), (0.0, 0.010, 1.2), (0.025, 0.008, -0.2), (0.28, 0.040, 0.35))


def heart(*, fs: float = 500, seconds: float = 10, rr: float = 0.8, leads: int = 12, p: bool = True) -> np.ndarray:
    """Recording of (samples, leads) with R waves at 0.4 s, 0.4 + rr, …; leads differ in height and sign."""
    t = np.arange(round(seconds * fs)) / fs
    beat = np.zeros(len(t))
    for start in np.arange(0.4 - rr, seconds + rr, rr):
        for middle, width, height in WAVES if p else WAVES[1:]:
            beat += height * np.exp(-0.5 * ((t - start - middle) / width) ** 2)
    gains = np.resize([1.0, 0.8, -0.5, 0.6], leads)
    noise = np.random.default_rng(0).normal(0, 0.008, (len(t), leads))
    return beat[:, None] * gains + noise
