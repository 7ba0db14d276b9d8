"""Pictures show what tables have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS
from ecglfm.discovery.interpretation.attribution import COLUMNS
from ecglfm.discovery.interpretation.beats import GroupBeat
from ecglfm.discovery.interpretation.figure import attribution_figure, beats_figure, map_figure
from ecglfm.evaluation.beats import PHASES
from ecglfm.evaluation.plots import png


def test_a_panel_is_the_table_of_its_feature():
    values = np.random.default_rng(0).normal(size=(2, 12, len(PHASES)))
    rows = [
        (f"edf_{k}", lead, phase, 0.0, 0.0, values[k, i, j], 0.0)
        for k in range(2) for i, lead in enumerate(LEADS) for j, phase in enumerate(PHASES)
    ]  # fmt: skip
    figure = attribution_figure(pd.DataFrame(rows, columns=COLUMNS), {"edf_0": "x", "edf_1": "y"})
    panels = [axes for axes in figure.axes if axes.images]
    for k, axes in enumerate(panels[:2]):
        assert np.array_equal(axes.images[0].get_array(), values[k])
        assert axes.images[0].get_clim() == (-np.abs(values[k]).max(), np.abs(values[k]).max())
        assert [label.get_text() for label in axes.get_yticklabels()] == list(LEADS)
        assert [label.get_text() for label in axes.get_xticklabels()] == list(PHASES)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_stands_below_the_panels_is_not_cut_off(count):
    names = [f"edf_{k}" for k in range(count)]
    rows = [(name, lead, phase, 0.0, 0.0, 1.0, 0.0) for name in names for lead in LEADS for phase in PHASES]
    figure = attribution_figure(pd.DataFrame(rows, columns=COLUMNS), dict.fromkeys(names, "x"))
    png(figure)
    (label,) = (text for text in figure.texts if "part of the beat" in text.get_text())
    extent = label.get_window_extent()
    assert 0 <= extent.x0 < extent.x1 <= figure.bbox.x1


def test_beats_of_both_ends_stand_in_every_lead():
    high, low = (GroupBeat(np.full((400, 12), level), 9) for level in (0.4, -0.2))
    figure = beats_figure({"edf_0001": (high, low)}, LEADS, 500)
    lines = [line.get_ydata() for line in figure.axes[0].lines][:24]
    assert [float(line[0]) for line in lines] == [-0.2, 0.4] * 12
    assert png(figure) == png(beats_figure({"edf_0001": (high, low)}, LEADS, 500))
    assert not beats_figure({}, LEADS, 500).axes


def test_people_on_the_map_have_their_own_colour():
    places = pd.DataFrame({"record_id": ["b", "a"], "x": [0.0, 1.0], "y": [0.0, 1.0]})
    edf = pd.DataFrame({"edf_0001": [-2.0, 2.0]}, index=["a", "b"])
    figure = map_figure(places, edf, "axes")
    assert figure.axes[0].collections[0].get_array().tolist() == [2.0, -2.0]
