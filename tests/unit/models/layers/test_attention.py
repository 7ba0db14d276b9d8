"""The table of relative positions."""

from __future__ import annotations

import math

import numpy as np

from ecglfm.models.layers.attention import sinusoids


def test_position_table_by_formula():
    table = sinusoids(4, 6)
    assert table.shape == (7, 6)  # 2T-1 positions, no more
    for row, position in enumerate([3, 2, 1, 0, -1, -2, -3]):
        for pair in range(3):
            angle = position / 10000 ** (2 * pair / 6)
            expected = [math.sin(angle), math.cos(angle)]
            np.testing.assert_allclose(table[row, 2 * pair : 2 * pair + 2].numpy(), expected, atol=1e-6)
