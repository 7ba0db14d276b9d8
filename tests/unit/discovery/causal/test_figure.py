"""Pictures of a Mendelian randomization: what stands on their axes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.discovery.causal.figure import forest_figure, pairs_figure, scatter_figure
from ecglfm.discovery.causal.randomization import randomize
from ecglfm.evaluation.plots import png


def table(effects: np.ndarray) -> pd.DataFrame:
    count = len(effects)
    return pd.DataFrame(
        {
            "chromosome": 1,
            "base_pair_location": np.arange(count) + 1,
            "effect_allele": "A",
            "other_allele": "G",
            "beta": effects,
            "standard_error": np.linspace(0.01, 0.02, count),
            "effect_allele_frequency": 0.3,
            "p_value": 0.01,
        }
    )


def found(count: int):
    generator = np.random.default_rng(0)
    effects = generator.normal(0, 0.1, count)
    outcome = table(0.5 * effects + generator.normal(0, 0.01, count))
    return randomize(table(effects), outcome, names=("edf_0001", "atrial fibrillation"), seed=0)


def test_a_forest_has_a_row_for_each_instrument_and_method() -> None:
    axes = forest_figure(found(5)).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == 5 + 4
    assert names[-1] == "MR-Egger"
    assert axes.get_title(loc="left") == "edf_0001 on atrial fibrillation"
    assert "40 of 50 instruments" in forest_figure(found(50)).axes[0].get_xlabel()


def test_a_weak_instrument_does_not_stretch_the_axis() -> None:
    effects = np.array([1e-5, 0.2, 0.21, 0.22, 0.23, 0.24, 0.25, 0.26, 0.27, 0.28, 0.29, 0.3])
    result = randomize(table(effects), table(0.5 * effects + 0.01), names=("edf", "af"), seed=0)
    assert forest_figure(result).axes[0].get_xlim()[1] < 2  # its ratio is 1000


def test_slopes_through_instruments_with_positive_effects() -> None:
    result = found(5)
    axes = scatter_figure(result).axes[0]
    drawn = {line.get_label(): line.get_data() for line in axes.lines if not str(line.get_label()).startswith("_")}
    x, y = drawn["inverse-variance weighted"]
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(result.estimates["beta"][0])
    assert drawn["MR-Egger"][1][0] == pytest.approx(result.checks["egger_intercept"][0])
    assert (axes.containers[0][0].get_xdata() > 0).all()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_instruments_are_drawn(count: int) -> None:
    for figure in (forest_figure(found(count)), scatter_figure(found(count)), pairs_figure(found(count).estimates)):
        assert png(figure)[:4] == b"\x89PNG"


def test_pairs_have_a_row_each() -> None:
    estimates = pd.concat([found(5).estimates.assign(outcome=name) for name in ("af", "mi")], ignore_index=True)
    axes = pairs_figure(estimates).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["edf_0001 (5)"] * 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["af", "mi"]
