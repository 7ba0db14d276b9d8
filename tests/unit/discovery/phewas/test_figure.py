"""The Manhattan plot of a PheWAS."""

from __future__ import annotations

import pandas as pd

from ecglfm.discovery.phewas.figure import phewas_figure
from ecglfm.discovery.phewas.regressions import COLUMNS


def test_chapters_along_the_axis_and_discoveries_with_their_names() -> None:
    table = pd.DataFrame(
        {
            "edf": "edf_0001",
            "phenotype": ["af", "mi", "gout"],
            "chapter": ["circulatory", "circulatory", "metabolic"],
            "beta": [0.5, -0.1, 0.1],
            "p_value": [1e-9, 0.5, 0.2],
            "q_value": [3e-9, 0.5, 0.3],
        }
    )
    axes = phewas_figure(table, fdr=0.05).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["circulatory", "metabolic"]
    assert axes.get_xticks().tolist() == [0.5, 2]
    assert [text.get_text() for text in axes.texts] == ["af (edf_0001)"]


def test_nothing_is_drawn_of_nothing() -> None:
    assert phewas_figure(pd.DataFrame(columns=COLUMNS), fdr=0.05).axes[0].texts[:] == []
