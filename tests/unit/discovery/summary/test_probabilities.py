"""-log10 P, also where a double has none: against R's pnorm(log.p = TRUE)."""

from __future__ import annotations

import pandas as pd
import pytest

from ecglfm.discovery.summary.probabilities import negative_log10_p, written_p


def test_p_of_zero_is_known_from_z() -> None:
    table = pd.DataFrame({"beta": [1.0, -5.0, 50.0], "standard_error": [0.5, 0.1, 1.0], "p_value": [0.01, 0, 0]})
    # z = 50: (50^2 / 2 + log(50 sqrt(2 pi)) + 1 / 50^2 - log(2)) / log(10), the first terms of Mills' ratio
    assert negative_log10_p(table) == pytest.approx([2, 544.66531, 544.66531], abs=1e-5)


def test_as_text() -> None:
    assert written_p(544.66556) == "2.15993e-545"
    assert written_p(3.0) == "1.00000e-3"
