"""Pictures of heritability: what stands on their axes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.discovery.heritability.figure import correlation_figure, heritability_figure


def test_features_by_certainty_at_most_forty() -> None:
    names = [f"edf_{i:04d}" for i in range(50)]
    table = pd.DataFrame({"edf": names, "h2": 0.1, "h2_se": 0.05, "h2_z": np.arange(50.0)})
    axes = heritability_figure(table).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == names[:9:-1]
    assert "40 of 50" in axes.get_xlabel()


def test_pairs_below_the_diagonal_and_dots_where_they_are_certain() -> None:
    table = pd.DataFrame({"edf_1": ["a", "a"], "edf_2": ["b", "c"], "rg": [0.5, np.nan], "rg_p": [1e-9, np.nan]})
    axes = correlation_figure(table, ["a", "b", "c"]).axes[0]
    shown = axes.images[0].get_array().filled(np.nan)
    assert shown[1, 0] == 0.5
    assert np.isfinite(shown).sum() == 1
    assert [list(line.get_xydata()[0]) for line in axes.lines] == [[0, 1]]
