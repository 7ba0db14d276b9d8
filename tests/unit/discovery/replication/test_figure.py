"""The picture of a replication."""

from __future__ import annotations

import pytest

from ecglfm.discovery.replication.figure import replication_figure
from ecglfm.discovery.replication.replication import replicate
from tests.unit.discovery.replication.test_replication import LEADS, table


def test_effects_are_counted_for_the_allele_that_raises_the_first() -> None:
    found = replicate(LEADS, table([0.19, -0.18, -0.19, 0.01], 0.03))
    axes = replication_figure(found.table, "cohort B").axes[0]
    points = [container[0].get_xydata().tolist() for container in axes.containers]
    assert points[0] == [pytest.approx([0.2, 0.19]), pytest.approx([0.2, 0.18])]
    assert points[1] == [pytest.approx([0.2, -0.19]), pytest.approx([0.2, 0.01])]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["replicates: 2", "does not: 2"]
