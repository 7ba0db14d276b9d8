"""The picture of confounders: probes on the left, labels on the right, at the values that were found."""

from __future__ import annotations

from ecglfm.evaluation.confounders.figure import confounders_figure
from tests.unit.evaluation.confounders.written import model, probes


def test_points_stand_where_the_numbers_are() -> None:
    about = {"encoder": "tiny", "probes": probes()}
    left, right = confounders_figure({"encoders": [about], "models": [about | model()]}).axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["site"]  # the rate is always the same
    assert [text.get_text() for text in right.get_yticklabels()] == ["super: AF"]
    points = [list(map(float, line.get_xdata())) for line in right.lines if len(line.get_xdata()) == 1]
    assert points == [[0.9], [0.62], [0.88]]  # the model, all variables together, variables alone
    assert [list(map(float, line.get_xdata())) for line in left.lines if len(line.get_xdata()) == 1] == [[0.8]]
