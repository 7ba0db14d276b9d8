"""Who has a label and who has not, of patients with several recordings: counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.metrics import Predictions, RegressionPredictions, SurvivalPredictions
from ecglfm.evaluation.metrics.truth import truth_of

NAN = np.nan
#: Five patients; b has two recordings that disagree, d one that is known and one that is not, e none that is known.
PATIENTS = np.array(["b", "a", "b", "c", "d", "d", "e"])
TARGET = np.array([1, 0, 0, 0, NAN, 1, NAN])


def of_classes(target: np.ndarray) -> Predictions:
    half = np.full((len(target), 1), 0.5)
    return Predictions(["x"], target[:, None], half, half, PATIENTS)


def test_a_patient_has_what_one_recording_shows() -> None:
    truth = truth_of(of_classes(TARGET), 2)
    assert truth.names == ["x"]
    assert truth.patient_of.tolist() == [1, 0, 1, 2, 3, 3, 4]
    assert truth.classes.tolist() == [[0, 1, 0, 1, -1]]  # of a, b, c, d, e
    assert truth.too_few == [None]  # b and d; a, c and, by its other recording, b
    assert of_classes(TARGET).known(0).tolist() == [True, True, True, True, False, True, False]


@pytest.mark.parametrize(
    ("target", "least", "in_all", "reason"),
    [
        (TARGET, 3, 0, "too few: 2 positive patients, 3 are wanted"),
        (TARGET, 4, 0, "too few: 2 positive patients, 4 are wanted"),  # of two that lack the positives are named
        (
            1 - TARGET,
            3,
            0,
            "too few: 2 negative patients, 3 are wanted",
        ),  # b, a, c have it; b and d have not, in one recording
        (np.where(TARGET == 1, NAN, TARGET), 1, 0, "too few: 0 positive patients, 1 is wanted"),
        (np.where(TARGET == 0, 1, TARGET), 1, 0, "too few: 0 negative patients, 1 is wanted"),
        (TARGET, 1, 5, "too few: 4 patients whose truth is known, 5 are wanted"),
        (TARGET, 1, 4, None),
    ],
)
def test_what_is_lacking_is_said(target: np.ndarray, least: int, in_all: int, reason: str | None) -> None:
    assert truth_of(of_classes(target), least, in_all=in_all).too_few == [reason]


def test_quantities_and_times() -> None:
    value = np.array([1.5, 2, 3, 4, NAN, 5, NAN])[:, None]
    quantity = RegressionPredictions(["x"], value, value, PATIENTS)
    assert truth_of(quantity, 4).classes.tolist() == [[0, 0, 0, 0, -1]]
    assert truth_of(quantity, 4).too_few == [None]
    assert truth_of(quantity, 5).too_few == ["too few: 4 patients whose truth is known, 5 are wanted"]
    event = np.array([1.0, 0, 0, 0, NAN, 1, 0])[:, None]
    times = SurvivalPredictions(["x"], value, event, value, PATIENTS, [None])
    assert truth_of(times, 2).classes.tolist() == [[0, 1, 0, 1, -1]]  # of e the time is not known
    assert truth_of(times, 3).too_few == ["too few: 2 patients with the event, 3 are wanted"]
