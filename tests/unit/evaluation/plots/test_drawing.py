"""Curves against scikit-learn, and figures that stay readable with many labels."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from sklearn.metrics import auc

from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.label import auroc
from ecglfm.evaluation.plots.drawing import calibration_figure, literal, png, roc_curve, roc_figure, with_interval


def make(labels: int) -> Predictions:
    rng = np.random.default_rng(0)
    targets = (rng.random((200, labels)) < 0.3).astype(float)
    probabilities = rng.integers(20, size=targets.shape) / 40 + targets / 4
    names = [f"label{i}" for i in range(labels)]
    return Predictions(names, targets, probabilities, np.full((200, labels), 0.5), np.arange(200).astype(str))


def test_the_area_under_the_curve_is_the_auroc():
    data = make(1)
    fpr, tpr = roc_curve(data.targets[:, 0], data.probabilities[:, 0])
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert auc(fpr, tpr) == pytest.approx(auroc(data.targets[:, 0], data.probabilities[:, 0]))


def test_few_labels_share_axes_and_the_legend_has_the_intervals():
    data = make(3)
    data.targets[:, 2] = 0
    metrics = summarize(data, resamples=20, confidence=0.95, seed=0, min_patients=1)
    figure = roc_figure(data, metrics)
    assert len(figure.axes) == 1
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend[0] == f"label0\nAUROC {with_interval(metrics['labels']['label0']['auroc'])}"
    assert legend[2] == "label2\nAUROC –"


def test_calibration_is_the_share_of_positives_in_ten_groups():
    probability = np.linspace(0.005, 0.995, 100)
    target = (np.arange(100) % 10 < np.repeat(np.arange(10), 10)).astype(float)  # 0, 10, … 90 % positive
    data = Predictions(["a"], target[:, None], probability[:, None], np.full((100, 1), 0.5), np.arange(100).astype(str))
    figure = calibration_figure(data, summarize(data, resamples=5, confidence=0.95, seed=0, min_patients=1))
    x, y = next(line for line in figure.axes[0].lines if len(line.get_xdata()) == 10).get_data()
    np.testing.assert_allclose(y, np.arange(10) / 10)
    np.testing.assert_allclose(x, np.arange(10) / 10 + 0.05)


def test_a_dollar_in_a_name_begins_no_formula():
    """matplotlib would end with a traceback, or draw something else."""
    figure = Figure()
    figure.suptitle("$\\bad{$")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], label="50$ of $_x$")
    axes.legend()
    assert png(figure).startswith(b"\x89PNG")
    assert {text.get_parse_math() for text in literal(figure).findobj(Text)} == {False}


def test_many_labels_get_a_panel_each():
    data = make(14)
    metrics = summarize(data, resamples=5, confidence=0.95, seed=0, min_patients=1)
    figure = roc_figure(data, metrics)
    assert sum(axes.get_visible() for axes in figure.axes) == 14
    assert figure.axes[13].get_title(loc="left").startswith("label13\nAUROC 0.")
    first = png(figure, dpi=40)
    assert png(roc_figure(data, metrics), dpi=40) == first
