"""What is said of a fit: prevalences that it presupposes, and that a zero-shot fit learnt from nobody."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import FinetuneConfig
from ecglfm.config.fits import parse_fit
from ecglfm.training.finetuning.history import EarlyStopping, TrainingHistory
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.finetuning.summary import lacking, prior, summarize


@pytest.mark.parametrize(
    ("kind", "weights", "expected"),
    [
        ("multilabel", "none", {"a": 0.25, "b": 0.5, "c": None}),  # of train, rows 0 to 3; b is known of two
        ("multilabel", "balanced", {"a": 0.5, "b": 0.5, "c": None}),
        ("multiclass", "balanced", {"a": 1 / 3, "b": 1 / 3, "c": None}),
    ],
)
def test_the_prevalence_that_probabilities_presuppose(kind: str, weights: str, expected: dict) -> None:
    unknown = np.nan
    target = np.array([[1, 0, unknown], [0, 1, unknown], [0, unknown, unknown], [0, unknown, unknown], [1, 1, 1]])
    data = Labelled(pd.DataFrame(), target.astype(np.float32), ["a", "b", "c"], np.arange(4), np.array([4]), None, kind,
                    np.arange(4))  # fmt: skip
    assert prior(data, FinetuneConfig(class_weights=weights)) == pytest.approx(expected)


def test_a_zero_shot_fit_learnt_from_nobody() -> None:
    people = pd.DataFrame({"patient_id": list("aabcd")})
    target = np.array([[1], [1], [1], [0], [1]], np.float32)
    data = Labelled(people, target, ["x"], np.arange(3), np.array([3, 4]), None, "binary", np.arange(3))
    history = TrainingHistory(EarlyStopping(1))
    history.rows.append({"epoch": 0, "split": "valid", "loss": 0.5, "auroc": float("nan")})
    history.best.improves(0, 0.5)
    taught = summarize(history, data, parse_fit("linear-s0"), {}, FinetuneConfig())
    assert (taught["train_records"], taught["train_patients"], list(taught["lacking"])) == (3, 2, ["x"])
    assert taught["prior"] == {"x": 1.0}
    assert list(lacking(data)) == ["x"]
    assert summarize(history, data, parse_fit("zero_shot-s0"), {}, FinetuneConfig()) == {
        "epochs": 0, "best_epoch": 0, "valid_loss": 0.5, "valid_auroc": None, "train_records": 0, "train_patients": 0,
        "valid_records": 2, "valid_patients": 2, "lacking": {},
    }  # fmt: skip


def test_an_epoch_of_a_share_is_as_long_as_of_all_where_there_are_epochs() -> None:
    people, target = pd.DataFrame({"patient_id": list("abcd")}), np.array([[1], [0], [1], [0]], np.float32)
    data = Labelled(people, target, ["x"], np.arange(2), np.array([3]), None, "binary", np.arange(3))
    for epoch, fit, expected in ((1, "full-s0-50pct", 3), (1, "full-s0", None), (0, "linear-s0-50pct", None)):
        history = TrainingHistory(EarlyStopping(1))
        history.rows.append({"epoch": epoch, "split": "valid", "loss": 0.5})
        history.best.improves(epoch, 0.5)
        told = summarize(history, data, parse_fit(fit), {}, FinetuneConfig(batch_size=8, accumulate=3))
        assert (told.get("records_per_epoch"), told["train_records"]) == (expected, 2)
        assert told.get("records_per_update") == (24 if epoch else None)
