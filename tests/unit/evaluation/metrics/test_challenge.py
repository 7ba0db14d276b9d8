"""The Challenge's metric against its definition worked by hand, and against its own table of weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError, read_yaml
from ecglfm.evaluation.metrics.bootstrap import PatientWeights
from ecglfm.evaluation.metrics.challenge import read_challenge
from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.entries import summarize

TABLE = """,AF,CRBBB|RBBB,NSR
AF,1.0,0.25,0.5
CRBBB|RBBB,0.25,1.0,0.75
NSR,0.5,0.75,1.0
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "weights.csv"
    path.write_text(TABLE)
    return path


def test_by_hand(table: Path):
    # record 1: AF true, AF and NSR called: 2 classes named: (1 + 0.5) / 2 = 0.75
    # record 2: AF and RBBB true, RBBB called: (0.25 + 1) / 2 = 0.625
    # record 3: NSR true, nothing called: 0; record 4 has an unknown label and does not count
    # correct: 1, (1 + 0.25 + 0.25 + 1) / 2 = 1.25, 1
    # all called NSR: (AF true, NSR) 0.5 / 2 = 0.25; (AF, RBBB true, NSR) (0.5 + 0.75) / 3; 1
    names = ["AF", "NSR", "RBBB"]
    targets = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 0], [np.nan, 1, 0]])
    called = np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 1, 1]], dtype=bool)
    challenge = read_challenge(table, names)
    inactive = 0.25 + 1.25 / 3 + 1
    expected = (0.75 + 0.625 + 0 - inactive) / (1 + 1.25 + 1 - inactive)
    weights = np.array([[1, 0, 2], [1, 0, 0], [1, 3, 1], [1, 1, 1]], dtype=float)
    values = challenge.metric(targets, called, weights)
    assert values[0] == pytest.approx(expected)
    assert values[1] == 0  # only normal records: the model that calls all normal is perfect, and the code says 0.0
    assert values[2] == pytest.approx((2 * 0.75 + 0 - 1.5) / (2 * 1 + 1 - 1.5))


def test_it_comes_with_an_interval(table: Path):
    rng = np.random.default_rng(0)
    targets = (rng.random((80, 3)) < 0.4).astype(float)
    probabilities = np.clip(0.6 * targets + 0.4 * rng.random((80, 3)), 0, 1)
    names, thresholds, patients = ["AF", "NSR", "RBBB"], np.tile([0.3, 0.35, 0.25], (80, 1)), np.arange(80).astype(str)
    challenge = read_challenge(table, names)
    data = Predictions(names, targets, probabilities, thresholds, patients, challenge=challenge)
    entry = summarize(data, resamples=60, confidence=0.9, seed=0, min_patients=1)["overall"]["challenge_metric"]
    weights = PatientWeights(patients, 0)(np.arange(60))
    drawn = [np.repeat(np.arange(80), weights[:, r].astype(int)) for r in range(60)]
    called = probabilities >= thresholds
    values = [challenge.metric(targets[rows], called[rows], np.ones((80, 1)))[0] for rows in drawn]
    assert entry["value"] == pytest.approx(challenge.metric(targets, called, np.ones((80, 1)))[0])
    assert (entry["ci_low"], entry["ci_high"]) == pytest.approx(np.quantile(values, [0.05, 0.95]))
    assert entry["ci_low"] < entry["value"] < entry["ci_high"] < 1


def test_perfect_is_one_and_all_normal_is_zero_with_the_challenges_own_weights(real_data: Path):
    path = real_data / "challenge-2021" / "evaluation-2021" / "weights_abbreviations.csv"
    names = ["AF", "SB", "NSR", "RBBB", "VPB", "TInv"]
    challenge = read_challenge(path, names)
    # from the file: AF for AFL 0.5 is not asked; AF - NSR 0.25, and weights are symmetric with ones on the diagonal
    np.testing.assert_array_equal(np.diag(challenge.weights_ll), 1)
    np.testing.assert_array_equal(challenge.weights_ll, challenge.weights_ll.T)
    assert challenge.weights_ll[0, 2] == 0.25
    targets = (np.random.default_rng(0).random((50, 6)) < 0.3).astype(float)
    ones = np.ones((50, 1))
    normal = np.zeros((50, 6), dtype=bool)
    normal[:, 2] = True
    assert challenge.metric(targets, targets > 0, ones) == pytest.approx(1)
    assert challenge.metric(targets, normal, ones) == pytest.approx(0)


def official(weights: np.ndarray, truth: np.ndarray, called: np.ndarray, normal: int) -> float:
    """The metric step by step as the Challenge's evaluate_model.py goes: a matrix for each of the three guesses."""

    def score(guess: np.ndarray) -> float:
        matrix = np.zeros_like(weights)
        for true, said in zip(truth, guess, strict=True):
            matrix += np.outer(true, said) / max(1.0, float((true | said).sum()))
        return float(np.nansum(weights * matrix))

    always = np.zeros_like(truth)
    always[:, normal] = True
    observed, correct, inactive = score(called), score(truth), score(always)
    return (observed - inactive) / (correct - inactive) if correct != inactive else 0.0


def test_random_calls_score_as_the_challenges_own_code_has_it(real_data: Path):
    path = real_data / "challenge-2021" / "evaluation-2021" / "weights.csv"
    names = pd.read_csv(path, index_col=0).index.astype(str).tolist()
    challenge = read_challenge(path, names)
    rng, ones = np.random.default_rng(3), np.ones((40, 1))
    worst = 0.0
    for share in np.linspace(0.02, 0.5, 25):
        truth, called = rng.random((40, 26)) < share, rng.random((40, 26)) < share
        expected = official(challenge.weights_ll, truth, called, challenge.normal)
        worst = max(
            worst, abs(challenge.metric(truth.astype(float), called, ones)[0] - expected) / max(1, abs(expected))
        )
    assert worst < 5e-16  # 1.7e-16 where it was measured; sums are in another order
    normal = np.zeros((40, 26), dtype=bool)
    normal[:, challenge.normal] = True
    assert official(challenge.weights_ll, normal, normal, challenge.normal) == 0.0
    assert challenge.metric(normal.astype(float), normal, ones).tolist() == [0.0]


def test_codes_and_abbreviations_give_the_shipped_task_one_metric(real_data: Path, repository: Path):
    folder = real_data / "challenge-2021" / "evaluation-2021"
    names = list(read_yaml(repository / "config/tasks/challenge-2021.yaml")["labels"])
    codes, short = (read_challenge(folder / name, names) for name in ("weights.csv", "weights_abbreviations.csv"))
    assert short is not None
    assert codes is not None
    np.testing.assert_array_equal(codes.weights_ll, short.weights_ll)
    assert codes.normal == short.normal == names.index("NSR")


def test_a_task_with_other_labels_has_no_such_metric(table: Path):
    assert read_challenge(table, ["AF", "NSR", "MI"]) is None
    assert read_challenge(table, ["AF", "RBBB"]) is None


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", ",AF,NSR\nAF,1,x\nNSR,0,1\n", ",AF,NSR\nAF,1,\nNSR,0,1\n"])
def test_a_file_that_is_no_table_of_weights_is_refused(tmp_path: Path, content: str | None):
    path = tmp_path / "weights.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"weights\.csv"):
        read_challenge(path, ["AF", "NSR"])
