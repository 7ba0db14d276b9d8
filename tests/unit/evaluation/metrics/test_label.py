"""What metrics of a label are made of, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from ecglfm.evaluation.metrics.label import (
    Cases,
    accuracy_metrics,
    auprc,
    auroc,
    chance_gaps,
    count_columns,
    ranking_metrics,
)


def test_unknown_labels_are_left_out():
    target = np.array([1, np.nan, 0, 1, np.nan, 0])
    score = np.array([0.9, 0.0, 0.2, 0.1, 1.0, 0.3])
    known = ~np.isnan(target)
    assert auroc(target, score) == pytest.approx(sk.roc_auc_score(target[known], score[known])) == 0.5
    assert auprc(target, score) == pytest.approx(sk.average_precision_score(target[known], score[known]))


def test_a_weighting_without_a_class_is_nan_and_not_one_half():
    values = ranking_metrics(np.array([1, 0.0]), np.array([0.9, 0.1]), np.array([[1, 0, 1.0], [0, 1, 1]]))
    np.testing.assert_array_equal(values["auroc"], [np.nan, np.nan, 1])
    np.testing.assert_array_equal(values["auprc"], [np.nan, np.nan, 1])


def test_a_record_may_be_several_cases():
    """Three records of two labels each, drawn 1, 0 and 2 times, against scikit-learn's sample weights."""
    record = np.array([0, 0, 1, 1, 2, 2])
    target, score = np.array([1, 0, 1, 0, 0, 1.0]), np.array([0.6, 0.6, 0.9, 0.1, 0.3, 0.2])
    weight_nr = np.array([[1, 1.0], [0, 1], [2, 1]])
    values = ranking_metrics(target, score, weight_nr, record)
    for r in range(2):
        weight = weight_nr[record, r]
        assert values["auroc"][r] == pytest.approx(sk.roc_auc_score(target, score, sample_weight=weight))
        assert values["auprc"][r] == pytest.approx(sk.average_precision_score(target, score, sample_weight=weight))


def test_no_positive_at_all_is_undefined_for_every_weighting():
    values = ranking_metrics(np.zeros(2), np.array([0.9, 0.1]), np.ones((2, 3)))
    assert list(values) == ["auroc", "auprc"]
    np.testing.assert_array_equal(list(values.values()), np.full((2, 3), np.nan))
    assert np.isnan([auroc(np.zeros(2), np.arange(2)), auprc(np.ones(2), np.arange(2))]).all()


def test_labels_together_are_cases_of_their_records():
    """Three records of two labels, of which four are known; of the second weighting the third record is there twice."""
    targets = np.array([[1, 0], [np.nan, 1], [0, np.nan]])
    probabilities = np.array([[0.9, 0.6], [0.4, 0.5], [0.3, 0.2]])
    thresholds, weight_nr = np.tile([0.7, 0.5], (3, 1)), np.array([[1, 1.0], [1, 0], [1, 2]])
    raw = Cases(np.ones(1), np.ones(1), 0.5, np.ones((1, 1)))
    cases = Cases.pooled(targets, probabilities, thresholds, weight_nr, known_nl=~np.isnan(targets), uncalibrated=raw)
    assert cases.counts.shape == (21, 2)
    # by record: (1, 0.9) called, (0, 0.6) called; (1, 0.5) called; (0, 0.3) not called
    np.testing.assert_array_equal(cases.decided, [[2, 1], [1, 1], [0, 0], [1, 2]])
    np.testing.assert_allclose(cases.squared, [0.01 + 0.36 + 0.25 + 0.09, 0.01 + 0.36 + 2 * 0.09])
    np.testing.assert_array_equal(cases.total, [4, 4])
    np.testing.assert_allclose(cases.ranking["auroc"], [3 / 4, 1])  # only 0.5 below 0.6 is wrong
    np.testing.assert_array_equal(cases.threshold, [0.7, 0.5, 0.5, 0.7])
    assert cases.raw is raw


def test_what_each_record_adds():
    """A true positive, a false one on the threshold, a false negative and a true negative in the first and last bins."""
    target, probability = np.array([1, 0, 1, 0.0]), np.array([0.97, 0.5, 0.4, 0.0])
    columns = count_columns(target, probability, np.array([0.9, 0.5, 0.41, 0.1]))
    assert columns.shape == (21, 4)
    np.testing.assert_array_equal(columns[:4], np.eye(4))
    np.testing.assert_allclose(columns[4], [0.0009, 0.25, 0.36, 0])
    np.testing.assert_array_equal(columns[5], 1)
    gaps = np.zeros((15, 4))
    gaps[14, 0], gaps[7, 1], gaps[5, 2] = 0.03, -0.5, 0.6  # 0.4 is 6 / 15, the end of the sixth
    np.testing.assert_allclose(columns[6:], gaps, atol=1e-12)
    np.testing.assert_allclose(
        count_columns(np.ones(2), np.array([1.0, 1 / 15]), 0.5)[[6, 20]], [[0, 14 / 15], [0, 0]], atol=1e-12
    )


def test_gaps_of_bins() -> None:
    # the gaps of 0.9 and 0.7 are in two bins; of the second weighting the first record is three times there
    cases = Cases(np.array([1.0, 0]), np.array([0.9, 0.7]), 0.5, np.array([[1, 3], [1, 1.0]]))
    expected = np.zeros((15, 2))
    expected[13], expected[10] = [0.05, 0.075], [-0.35, -0.175]
    np.testing.assert_allclose(cases.gaps, expected, atol=1e-12)
    nobody = Cases(np.array([1.0]), np.array([0.9]), 0.5, np.zeros((1, 1)))
    assert np.isnan(nobody.gaps).all()


def test_gaps_that_chance_alone_makes():
    # 0.02 and 0.05 are in the first bin, 0.5 in the eighth: sqrt(0.0196 + 0.0475) / 3 and sqrt(0.25) / 3
    expected = np.zeros(15)
    expected[[0, 7]] = np.sqrt(0.0671) / 3, 0.5 / 3
    np.testing.assert_allclose(chance_gaps(np.array([0.02, 0.05, 0.5])), expected)
    np.testing.assert_allclose(chance_gaps(np.array([0.5])), 3 * expected * (expected == expected[7]))
    np.testing.assert_array_equal(chance_gaps(np.array([])), np.zeros(15))


def test_the_most_probable_class_by_hand():
    """Classes 0, 0, 1, 2; called 0, 1, 1 (the first of two equally probable ones), 0."""
    targets = np.eye(3)[[0, 0, 1, 2]]
    probabilities = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.4, 0.4], [0.9, 0.1, 0.0]])
    weight_nr = np.array([[1, 1, 0], [1, 3, 0], [1, 2, 0], [1, 0, 0.0]])
    values = accuracy_metrics(targets, probabilities, weight_nr)
    # then of weights 1, 3, 2, 0: 3 of 6, and the recalls 1/4 and 1 of the two classes that occur
    np.testing.assert_allclose(values["accuracy"], [1 / 2, 3 / 6, np.nan])
    np.testing.assert_allclose(values["balanced_accuracy"], [(1 / 2 + 1 + 0) / 3, (1 / 4 + 1) / 2, np.nan])
