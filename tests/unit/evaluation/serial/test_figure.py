"""The picture of serial ECGs."""

from __future__ import annotations

from ecglfm.evaluation.serial.figure import serial_figure

TIMES = ["all", "< 1 d", ">= 1 d"]


def entry(value: float | None) -> dict:
    ends = {"ci_low": None if value is None else value - 0.1, "ci_high": None if value is None else value + 0.1}
    return {"value": value, **ends, "lower": ends["ci_low"], "upper": ends["ci_high"]}


def test_a_line_per_label_and_per_encoder_with_gaps_where_there_is_nothing():
    values = dict(zip(TIMES, map(entry, [0.7, None, 0.5]), strict=True))
    models = [
        {"encoder": encoder, "task": "t", "fit": fit, "labels": {"AF": values, "MI": values}}
        for encoder in ("a", "b")
        for fit in ("full-s0", "full-s1")
    ]
    embeddings = [{"encoder": encoder, "dims": 2, "times": values} for encoder in ("a", "b")]
    figure = serial_figure({"times": TIMES, "models": models, "embeddings": embeddings})
    first, vectors, second, unused = figure.axes
    for axes, names in ((first, ["t: AF", "t: MI"]), (second, ["t: AF", "t: MI"]), (vectors, ["a", "b"])):
        assert [text.get_text() for text in axes.get_legend().get_texts()] == names
        line = axes.get_lines()[0].get_ydata()
        assert line[0] == 0.7
        assert line[1] != line[1]  # NaN: no point
    assert not unused.axison
