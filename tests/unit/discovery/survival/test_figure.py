"""Kaplan-Meier curves of thirds, with those at risk."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.discovery.survival.figure import kaplan_meier_figure, tertile
from ecglfm.evaluation.plots import png


def test_thirds_are_by_rank():
    assert tertile(np.array([3.0, 1.0, 2.0, 9.0, 8.0, 7.0])).tolist() == [1, 0, 0, 2, 2, 1]
    assert np.bincount(tertile(np.random.default_rng(0).normal(size=300))).tolist() == [100, 100, 100]


def test_curves_and_numbers_at_risk_by_hand():
    time, event = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 10]), np.array([1.0, 1, 0, 0, 1, 0, 0, 0, 0])
    edf = pd.DataFrame({"edf_0001": np.arange(9.0)})
    figure = kaplan_meier_figure(time, event, edf, ["HR 1"], "years")
    axes = figure.axes[0]
    low = axes.lines[0]
    assert low.get_label() == "lowest third"
    assert np.allclose(low.get_ydata(), [1, 2 / 3, 1 / 3, 1 / 3])
    assert np.allclose(axes.lines[1].get_ydata(), [1, 1, 0.5, 0.5])
    assert np.allclose(axes.lines[2].get_ydata(), 1)
    texts = [text.get_text() for text in axes.texts]
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= 10]
    wanted = [
        str(int((time[group] >= tick).sum())) for group in (slice(0, 3), slice(3, 6), slice(6, 9)) for tick in ticks
    ]
    assert texts == ["at risk", *wanted]
    assert png(figure) == png(kaplan_meier_figure(time, event, edf, ["HR 1"], "years"))
