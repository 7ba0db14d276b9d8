"""The answer that never looks at a recording, as scikit-learn scores it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from ecglfm.evaluation.metrics.baselines import majority


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_constant_answer_as_scikit_learn_scores_it(share: float) -> None:
    train, test = (
        np.r_[np.ones(int(100 * share)), np.zeros(100 - int(100 * share)), np.nan],
        np.r_[np.ones(8), np.zeros(12)],
    )
    said, called = np.full(20, share), np.full(20, share >= 0.5)
    assert majority("multilabel", ["x"], train[:, None], np.r_[test, np.nan][:, None])["macro"] == pytest.approx({
        "auroc": roc_auc_score(test, said), "auprc": average_precision_score(test, said),
        "brier": brier_score_loss(test, said), "f1": f1_score(test, np.ones(20)),
        "ppv": precision_score(test, np.ones(20)), "npv": precision_score(1 - test, np.ones(20)),
        "sensitivity": recall_score(test, called), "specificity": recall_score(1 - test, ~called),
    })  # fmt: skip


def test_the_constant_answer_to_other_kinds() -> None:
    train, test = np.array([[1.0], [3.0]]), np.array([[2.0], [4.0], [np.nan]])
    # the mean of train is 2: errors 0 and 2
    assert majority("regression", ["x"], train, test)["labels"]["x"] == pytest.approx(
        {"mae": 1.0, "rmse": np.sqrt(2), "r2": r2_score([2, 4], [2, 2])}
    )
    assert majority("survival", ["x"], train, test)["macro"]["c_index"] == 0.5
    empty = majority("binary", ["x"], train[:, :1] * 0, np.zeros((3, 1)))["macro"]
    assert "auroc" not in empty  # one class in test
    assert empty["brier"] == 0
