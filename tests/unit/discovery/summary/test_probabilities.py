"""-log10 P, also where a double has none: against R's pnorm(log.p = TRUE)."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from ecglfm.discovery.summary.probabilities import negative_log10_p, with_written_p, written_p


def test_p_of_zero_is_known_from_z() -> None:
    table = pd.DataFrame({"beta": [1.0, -5.0, 50.0], "standard_error": [0.5, 0.1, 1.0], "p_value": [0.01, 0, 0]})
    # z = 50: (50^2 / 2 + log(50 sqrt(2 pi)) + 1 / 50^2 - log(2)) / log(10), the first terms of Mills' ratio
    assert negative_log10_p(table) == pytest.approx([2, 544.66531, 544.66531], abs=1e-5)


def test_as_text() -> None:
    assert written_p(544.66556) == "2.15993e-545"
    assert written_p(3.0) == "1.00000e-3"


def test_a_table_for_people_has_words_where_a_double_has_none() -> None:
    table = pd.DataFrame({"beta": [1.0, 50.0], "standard_error": [0.5, 1.0], "p_value": [0.01, 0.0]})
    text = with_written_p(table).to_csv(sep="\t", index=False)
    assert text == "beta\tstandard_error\tp_value\n1.0\t0.5\t0.01\n50.0\t1.0\t2.16120e-545\n"
    assert pd.read_csv(io.StringIO(text), sep="\t")["p_value"].tolist() == [0.01, 0.0]  # numbers, as it was
    assert with_written_p(table.drop(columns="beta"))["p_value"].tolist() == [0.01, 0.0]
