"""Pictures: figures of evaluations and trainings in one style, recordings on ECG paper."""

from __future__ import annotations

from ecglfm.evaluation.plots.drawing import (
    COLOURS,
    GREY,
    INK,
    Series,
    calibration_figure,
    data_uri,
    history_figure,
    literal,
    png,
    save_png,
    style,
    with_interval,
)
from ecglfm.evaluation.plots.ecg_paper import highlight, plot_ecg, save_ecg
from ecglfm.evaluation.plots.pictures import figures, risk_group_figure

__all__ = [
    "COLOURS",
    "GREY",
    "INK",
    "Series",
    "calibration_figure",
    "data_uri",
    "figures",
    "highlight",
    "history_figure",
    "literal",
    "plot_ecg",
    "png",
    "risk_group_figure",
    "save_ecg",
    "save_png",
    "style",
    "with_interval",
]
