"""Planted copies among recordings."""

import numpy as np
from scipy.signal import resample_poly

from ecglfm.data.manifest.duplicates.search import duplicate_pairs
from tests.unit.data.recordings_in_memory import Given, pieces_of


def through_400_hz(signal):
    return np.rint(resample_poly(resample_poly(signal.astype(float), 4, 5), 5, 4)).astype(np.int16)


def pairs_of(records, signals, duplicate_correlation=0.98):
    found = duplicate_pairs(pieces_of(records), Given(signals), duplicate_correlation=duplicate_correlation)
    return {(pair["a"], pair["b"]): pair for pair in found}
