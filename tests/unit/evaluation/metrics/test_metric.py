"""What a metric stands on, and of which kind its interval is."""

from __future__ import annotations

import numpy as np

from ecglfm.evaluation.metrics.intervals import FISHER
from ecglfm.evaluation.metrics.metric import Metric


def test_patients_behind_it_are_those_it_needs_unless_it_says_otherwise() -> None:
    assert Metric(name="x", title="X", of=np.asarray).stands_on == ("known",)
    assert Metric(name="x", title="X", of=np.asarray, needs=("event",)).stands_on == ("event",)
    assert Metric(name="x", title="X", of=np.asarray, needs=("event",), support=()).stands_on == ()


def test_it_is_a_share_from_0_to_1_without_a_scale() -> None:
    assert Metric(name="x", title="X", of=np.asarray).is_share
    assert not Metric(name="x", title="X", of=np.asarray, range=(-1.0, 1.0)).is_share
    assert not Metric(name="x", title="X", of=np.asarray, scale=FISHER).is_share
