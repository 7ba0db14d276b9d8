"""Log odds by hand."""

from __future__ import annotations

import numpy as np

from ecglfm.evaluation.metrics.odds import log_odds


def test_by_hand_and_of_a_certain_model() -> None:
    certain = np.log(1e7 - 1)  # of 1 - 1e-7
    wanted = [[0, np.log(1 / 3)], [-certain, certain]]
    np.testing.assert_allclose(log_odds(np.array([[0.5, 0.25], [0, 1]])), wanted, rtol=1e-9)
