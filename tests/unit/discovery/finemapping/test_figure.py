"""The picture of a locus."""

from __future__ import annotations

import numpy as np

from ecglfm.discovery.finemapping.bayes import posteriors
from ecglfm.discovery.finemapping.figure import locus_figure
from tests.unit.discovery.finemapping.test_bayes import table


def test_the_set_is_in_colour_and_its_first_is_named() -> None:
    z = np.zeros(30)
    z[12] = 9.0
    axes = locus_figure(posteriors(table(z)), "edf_0001, locus 1").axes[0]
    assert [text.get_text() for text in axes.texts] == ["rs13 (1.00)"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["credible set: 1 of 30 variants"]
    assert len(axes.lines[0].get_xdata()) == 29
