"""Records of one table may be decided by different thresholds: those of the models that predicted them."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.metrics.bootstrap import PatientWeights, point_values, resampled_values
from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.label import CLASS_METRICS

# Four records of a model that decides at 0.3, then five of one that decides at 0.8.
PROBABILITY = np.array([0.4, 0.2, 0.35, 0.1, 0.9, 0.7, 0.82, 0.5, 0.6])
TARGET = np.array([1, 1, 0, 0, 1, 1, 1, 0, 0], dtype=float)
THRESHOLD = np.repeat([0.3, 0.8], [4, 5])
# Called: 0.4, 0.35 | 0.9, 0.82. So TP = 1 + 2, FN = 1 + 1, FP = 1 + 0, TN = 1 + 2.
BY_HAND = {"sensitivity": 3 / 5, "specificity": 3 / 4, "ppv": 3 / 4, "npv": 3 / 5, "f1": 2 / 3}
# With 0.3 for all the sensitivity were 4/5, the PPV 4/7; with 0.8 for all 2/5 and 1.


def made(patients: np.ndarray | None = None) -> Predictions:
    """The records above as label `x`; label `y` is unknown of the second model's, and always decided right."""
    other = np.where(np.arange(9) < 4, TARGET, np.nan)
    return Predictions(
        ["x", "y"],
        np.stack([TARGET, other], axis=1),
        np.stack([PROBABILITY, np.nan_to_num(other) * 0.5], axis=1),
        np.stack([THRESHOLD, np.full(9, 0.5)], axis=1),
        np.arange(9).astype(str) if patients is None else patients,
    )


@pytest.mark.parametrize("metric", BY_HAND)
def test_each_record_is_decided_by_its_own_threshold(metric: str) -> None:
    assert point_values(made())[0, CLASS_METRICS.index(metric)] == pytest.approx(BY_HAND[metric])


def test_pooled_labels_too() -> None:
    micro = made().pooled(np.ones((9, 1)))["micro"]
    # label y adds two true positives and two true negatives
    assert micro["sensitivity"][0] == pytest.approx(5 / 7)
    assert micro["ppv"][0] == pytest.approx(5 / 6)
    assert micro["specificity"][0] == pytest.approx(5 / 6)


def test_patients_behind_a_ppv_are_those_that_are_called() -> None:
    patients = np.array(["a", "b", "a", "c", "d", "e", "d", "f", "g"])  # called: a, a | d, d
    assert made(patients).support(0, np.unique(patients, return_inverse=True)[1])["ppv"] == (2,)


def test_a_resample_keeps_each_rows_threshold() -> None:
    patients = np.array(["a", "b", "b", "c", "d", "d", "e", "f", "g"])
    values = resampled_values(made(patients), 30, seed=2)[0]
    weights = PatientWeights(patients, seed=2)(np.arange(30)).astype(int)
    for r in range(30):
        rows = np.repeat(np.arange(9), weights[:, r])
        called, positive = PROBABILITY[rows] >= THRESHOLD[rows], TARGET[rows] == 1
        if positive.any() and not positive.all():
            assert values[CLASS_METRICS.index("sensitivity"), r] == pytest.approx(called[positive].mean())
            assert values[CLASS_METRICS.index("specificity"), r] == pytest.approx((~called)[~positive].mean())
