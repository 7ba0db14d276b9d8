"""What a metric of survival takes, and those of one time; values are held in `test_survival.py` and `test_hazards.py`."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.metrics.references import Reference
from ecglfm.evaluation.metrics.survival_metrics import SURVIVAL_METRICS, FollowUp, at_time

METRICS = {metric.name: metric for metric in SURVIVAL_METRICS}
# Events at 1 and 3, one observed until 2 and one until 4; the risks are in the order of the times.
COLUMNS = (np.array([1.0, 2, 3, 4]), np.array([1.0, 0, 1, 0]), np.array([3.0, 2, 1, 0]), np.ones((4, 1)))


def reference(*times: float) -> Reference:
    return Reference(np.array(times), 0.1, 1.0, np.array([0.5, 1.5, 2.5]))


def test_areas_at_the_times_and_their_mean() -> None:
    found = FollowUp(*COLUMNS, reference(1.5, 3.5))
    assert [float(at_time(number).of(found)[0]) for number in (0, 1)] == [1, 1]
    assert METRICS["td_auc"].of(found) == pytest.approx([1])
    assert np.isnan(at_time(2).of(found)).all()
    one = at_time(1)
    assert (one.name, one.title, one.chance, one.support) == ("td_auc_2", "AUC, time 2", None, ("event", "free"))


def test_the_calibration_error_is_the_sum_of_the_gaps_of_groups() -> None:
    """Everybody is a group. Survival at 2 is 0 of the first (the event came), 1 of the others."""
    found = FollowUp(*COLUMNS, reference(2.0))
    said = np.exp(-0.1 * np.exp([0, 1, 2, 3.0]))
    np.testing.assert_allclose(found.gaps[:, 0], (said - [1, 1, 1, 0]) / 4)
    assert METRICS["ece"].of(found) == pytest.approx([(3 - said[:3].sum() + said[3]) / 4])


def test_without_a_reference_there_is_a_concordance() -> None:
    found = FollowUp(*COLUMNS, None)
    assert METRICS["c_index"].of(found) == pytest.approx([1])
    with pytest.raises(ValueError, match="a metric that needs `reference`"):
        METRICS["td_auc"].of(found)
