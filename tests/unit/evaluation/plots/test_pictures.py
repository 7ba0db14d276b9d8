"""Figures of quantities and of survival: what is drawn, read back from the axes and worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.metrics import Predictions, Reference, RegressionPredictions, SurvivalPredictions, summarize
from ecglfm.evaluation.plots.pictures import (
    difference_figure,
    figures,
    kaplan_meier_figure,
    risk_group_figure,
    scatter_figure,
)

NAN = np.nan
QUICK = {"resamples": 5, "confidence": 0.95, "seed": 0, "min_patients": 1}
QUANTITY = RegressionPredictions(
    ["age"], np.array([[1.0], [2], [NAN], [4]]), np.array([[2.0], [2], [9], [5]]), np.array(list("abcd"))
)
#: Two groups of risk, told apart at 0; in the lower one nobody has the event.
TIMES = SurvivalPredictions(
    ["death"],
    np.array([[1.0], [2], [3], [4], [2], [5], [NAN]]),
    np.array([[1.0], [0], [1], [1], [0], [0], [1]]),
    np.array([[1.0], [1], [1], [1], [-2], [-2], [1]]),
    np.array(list("abcdefg")),
    [Reference(np.array([2.0]), 0.1, 1.0, np.array([-1.0, 0.0, 0.5]))],
)


def test_truth_and_prediction_of_known_records() -> None:
    (axes,) = scatter_figure(QUANTITY, summarize(QUANTITY, **QUICK)).axes
    assert axes.collections[0].get_offsets().tolist() == [[1, 2], [2, 2], [4, 5]]
    assert axes.lines[0].get_xydata().tolist() == [[1, 1], [5, 5]]  # the line of equality, over all that is drawn


def test_limits_of_agreement_by_hand() -> None:
    (axes,) = difference_figure(QUANTITY, summarize(QUANTITY, **QUICK)).axes
    assert axes.collections[0].get_offsets().tolist() == [[1.5, 1], [2, 0], [4.5, 1]]
    bias, spread = 2 / 3, 1.96 * np.sqrt(1 / 3)  # of 1, 0, 1: squares of 2/3 together, over 2
    levels = [line.get_ydata()[0] for line in axes.lines]
    assert levels == pytest.approx([bias, bias - spread, bias + spread])


def test_kaplan_meier_of_each_group_by_hand() -> None:
    (axes,) = kaplan_meier_figure(TIMES, summarize(TIMES, **QUICK)).axes
    low, high, horizon = axes.lines
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["lowest risk (2)", "highest risk (4)"]
    assert low.get_ydata().tolist() == [1, 1, 1]
    assert high.get_xdata().tolist() == [0, 1, 2, 3, 4]
    # one of four, nobody (one is lost), one of two, the last
    np.testing.assert_allclose(high.get_ydata(), [1, 3 / 4, 3 / 4, 3 / 8, 0])
    assert horizon.get_xdata() == [2, 2]


def test_observed_against_predicted_survival() -> None:
    (axes,) = risk_group_figure(TIMES, summarize(TIMES, **QUICK)).axes
    points = next(line for line in axes.lines if line.get_marker() == "o")
    low, high = sorted(points.get_xydata().tolist(), reverse=True)
    assert low == pytest.approx([np.exp(-0.1 * np.exp(-2)), 1.0])
    assert high == pytest.approx([np.exp(-0.1 * np.exp(1)), 3 / 4])
    assert axes.get_title(loc="left").startswith("death\nat 2: Brier ")


def test_each_kind_has_curves_and_calibration() -> None:
    half = np.full((4, 1), 0.5)
    classes = Predictions(["x"], np.array([[0.0], [1], [0], [1]]), half, half, np.array(list("abcd")))
    for kind, data in (("binary", classes), ("regression", QUANTITY), ("survival", TIMES)):
        drawn = figures(kind, data, summarize(data, **QUICK))
        assert list(drawn) == ["curves", "calibration"]
    unknown = RegressionPredictions(["x"], np.full((2, 1), NAN), half[:2], np.array(["a", "b"]))
    assert len(figures("regression", unknown, summarize(unknown, **QUICK))["curves"].axes) == 1
