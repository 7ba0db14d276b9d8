"""The curve over lead sets: what is drawn where."""

from __future__ import annotations

import numpy as np

from ecglfm.evaluation.lead_sets.figure import lead_sets_figure


def test_values_stand_left_and_changes_right() -> None:
    def entry(value: float | None) -> dict[str, float | None]:
        return {"value": value, "ci_low": None, "ci_high": None}

    sets = [
        {"name": name, "labels": {"AF": {"auroc": entry(area)}}, "macro": {"auroc": entry(area)}}
        for name, area in (("12-leads", 0.9), ("2-leads", 0.7), ("1-lead", None))
    ]
    for row, change in zip(sets[1:], (-0.2, None), strict=True):
        row["change"] = {"labels": {"AF": entry(change)}, "macro": entry(change)}
    left, right = lead_sets_figure({"metric": "auroc", "label_names": ["AF"], "sets": sets}).axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [0.9, 0.7, np.nan])
    np.testing.assert_array_equal(right.lines[0].get_ydata(), [-0.2, np.nan])
    assert [label.get_text() for label in right.get_xticklabels()] == ["2-leads", "1-lead"]
    assert left.lines[1].get_ydata()[0] == 0.5  # chance
