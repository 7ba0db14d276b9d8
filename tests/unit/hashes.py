"""SHA-256 of planted recordings, as `ingest` and `preprocess` write them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def hashes(recordings: Iterable[np.ndarray]) -> list[str]:
    """SHA-256 of the C-order bytes of int16 recordings, each (n_samples, n_leads)."""
    return [hashlib.sha256(np.ascontiguousarray(signal, np.int16).tobytes()).hexdigest() for signal in recordings]
