"""Zeros around an exam are no part of it; `test_code15.py` reads exams of whole parts."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.sources.arrays.exams import without_padding


@pytest.mark.parametrize(
    ("leading", "length", "trailing"), [(0, 4096, 0), (0, 1, 4095), (4095, 1, 0), (1, 4094, 1), (648, 2800, 648)]
)
def test_padding(leading: int, length: int, trailing: int):
    tracing = np.zeros((leading + length + trailing, 12), np.float32)
    tracing[leading, 11] = 1e-30
    tracing[leading + length - 1, 0] = np.nan  # a missing sample is no padding
    assert without_padding(tracing).shape == (length, 12)
