"""The picture of a verification: what it draws, and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.plots.drawing import png
from ecglfm.evaluation.verification.figure import verification_figure
from ecglfm.evaluation.verification.rates import Scores, measure


def strata(**pairs: int) -> dict[str, Scores]:
    """Sources with so many genuine pairs, of a patient each, and ten times as many impostor pairs."""
    rng = np.random.default_rng(0)
    out = {}
    for name, count in pairs.items():
        genuine, impostor = rng.normal(2, 1, count), rng.normal(0, 1, 10 * count)
        people = np.arange(10 * count) % count
        out[name] = Scores(genuine, impostor, np.arange(count), np.stack([people, (people + 1) % count]), 50)
    return out


@pytest.mark.parametrize(
    ("pairs", "curves", "said"),
    [
        ({"a": 30}, 1, None),
        ({"a": 29}, 0, "a: 29 pairs of one sort, no curve below 30"),
        ({"a": 40, "b": 2}, 1, "b: 2 pairs of one sort, no curve below 30"),
    ],
)
def test_a_curve_needs_thirty_pairs(pairs, curves, said):
    scores = strata(**pairs)
    figure = verification_figure(scores, measure(scores, resamples=5, confidence=0.95, seed=0, min_patients=2))
    right = figure.axes[1]
    assert sum(line.get_linewidth() == 1.6 for line in right.lines) == curves
    texts = [text.get_text() for text in right.texts]
    assert (said in texts) if said else "" in texts


def test_the_legend_lies_above_the_bars():
    scores = strata(a=40)
    figure = verification_figure(scores, measure(scores, resamples=5, confidence=0.95, seed=0, min_patients=2))
    png(figure)  # lays it out
    left = figure.axes[0]
    assert left.get_legend().get_window_extent().y0 > left.get_window_extent().y1
