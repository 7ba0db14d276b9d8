"""Thresholds against numbers worked out by hand and against a brute-force sweep."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm
from sklearn.metrics import f1_score, fbeta_score, recall_score

from ecglfm.benchmark.statistics.thresholds import compare, simulate
from ecglfm.training.finetuning.thresholds import Rule, best_threshold, choose_threshold, choose_thresholds

NAN = np.nan


@pytest.mark.parametrize(
    ("target", "probability", "criterion", "expected"),
    [
        # both positives stand above both negatives: F1 = 1, cut half-way between 0.6 and 0.3
        ([1, 0, 1, 0], [0.9, 0.3, 0.6, 0.1], "f1", 0.45),
        # positive, negative, positive, negative from the top: F1 = 2/3, 1/2, 4/5, 2/3 -> after the third
        ([1, 0, 1, 0], [0.9, 0.8, 0.6, 0.2], "f1", 0.4),
        # J = 1/2, 0, 1/2, 0: two are best, the one with fewer positives wins
        ([1, 0, 1, 0], [0.9, 0.8, 0.6, 0.2], "youden", 0.85),
        # of two positives and four negatives: J = 1/2, 1/4, 3/4
        ([1, 0, 1, 0, 0, 0], [0.9, 0.8, 0.6, 0.4, 0.3, 0.2], "youden", 0.5),
        # a tied positive and negative can only be called together: F1 = 2/3, and 1/2 with the third
        ([1, 0, 0], [0.7, 0.7, 0.2], "f1", 0.45),
        # unknown records do not count
        ([1, NAN, 0, NAN, 1, 0], [0.9, 0.5, 0.3, 0.0, 0.6, 0.1], "f1", 0.45),
        # the worst ranking: calling everything positive is best for F1, and the cut lies below the smallest
        ([0, 1], [0.8, 0.4], "f1", 0.2),
        ([1, 1, 1], [0.1, 0.2, 0.3], "f1", None),
        # F2 = 5 TP / (called + 4 positives): 5/9, 5/10, 10/11, 10/12 -> after the third
        ([1, 0, 1, 0], [0.9, 0.8, 0.6, 0.2], "fbeta", 0.4),
        # 0.9 of two positives needs both; the third record is the second positive
        ([1, 0, 1, 0], [0.9, 0.8, 0.6, 0.2], "sensitivity", 0.4),
        # 9 of 10 positives are exactly 0.9: the tenth, below the negative, need not be called
        ([1] * 9 + [0, 1], [*np.linspace(0.95, 0.55, 9), 0.35, 0.1], "sensitivity", 0.45),
        ([0, 0, NAN], [0.1, 0.2, 0.3], "youden", None),
    ],
)
def test_threshold_by_hand(target: list, probability: list, criterion: str, expected: float | None) -> None:
    found = best_threshold(np.array(target, float), np.array(probability, np.float32), Rule(criterion))
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-6))


@pytest.mark.parametrize("criterion", ["f1", "youden"])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_is_better(criterion: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, 60).astype(float)
    probability = np.round(rng.random(60) * 0.7 + target * 0.3, 1)  # many ties

    def score(threshold: float) -> float:
        called = probability >= threshold
        if criterion == "f1":
            return f1_score(target, called)
        return recall_score(target, called) + recall_score(1 - target, ~called) - 1

    found = best_threshold(target, probability, Rule(criterion))
    assert score(found) == pytest.approx(max(score(threshold) for threshold in np.linspace(0, 1.1, 111)))


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_has_a_better_f_beta(beta: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, 60).astype(float)
    probability = np.round(rng.random(60) * 0.7 + target * 0.3, 1)
    found = best_threshold(target, probability, Rule("fbeta", beta=beta))
    best = max(fbeta_score(target, probability >= threshold, beta=beta) for threshold in np.linspace(0, 1, 101))
    assert fbeta_score(target, probability >= found, beta=beta) == pytest.approx(best)


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_higher_threshold_reaches_the_sensitivity(wanted: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = (rng.random(70) < 0.4).astype(float)
    probability = np.round(rng.random(70) * 0.8 + target * 0.2, 2)
    found = best_threshold(target, probability, Rule("sensitivity", sensitivity=wanted))
    assert recall_score(target, probability >= found) >= wanted
    for threshold in np.unique(probability)[np.unique(probability) > found][1:]:
        assert recall_score(target, probability >= threshold) < wanted


def test_one_class_gives_a_half_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    target = np.array([[1, 0], [0, 0]], float)
    probability = np.array([[0.8, 0.3], [0.4, 0.2]])
    with caplog.at_level(logging.WARNING):
        found = choose_thresholds(target, probability, np.arange(2), ["MI", "AF"], Rule("f1", min_positives=0))
    assert [found[name].value for name in ("MI", "AF")] == pytest.approx([0.6, 0.5])
    assert [found[name].rule for name in ("MI", "AF")] == ["sweep", "default"]
    assert caplog.messages == ["label AF: the validation split has only one class; its threshold is 0.5"]


@pytest.mark.parametrize(
    ("criterion", "positives", "missing"),  # the share of what is possible that a sweep misses at least
    [("f1", 1, 0.3), ("f1", 2, 0.15), ("youden", 1, 0.3), ("sensitivity", 1, 0.3)],
)
def test_a_few_positives_are_not_all_there_are(criterion: str, positives: int, missing: float) -> None:
    swept, smoothed, best = compare(criterion, positives, 60, seed=1)
    assert swept < (1 - missing) * best
    assert best - smoothed < 0.62 * (best - swept)


def test_smoothed_below_the_configured_number_of_positive_patients() -> None:
    target, probability = simulate(12, np.random.default_rng(1))
    patients = np.arange(2000) // 2  # six positive patients of two recordings each
    found = {
        least: choose_threshold(target, probability, patients, Rule("f1", min_positives=least)) for least in (6, 7)
    }
    assert [(one.rule, one.positives) for one in found.values()] == [("sweep", 6), ("smoothed", 6)]
    assert found[6].value == best_threshold(target, probability, Rule("f1"))
    width = np.std(logit(probability[target == 0])) * 6**-0.2
    assert found[7].value == best_threshold(target, probability, Rule("f1"), width=float(width))


def test_interval_of_a_threshold() -> None:
    """It lies around the value, is narrower the more patients there are, and copies of recordings are no patients."""
    rng, widths = np.random.default_rng(2), []
    for positives, count in ((30, 300), (300, 3000)):
        target, probability = simulate(positives, rng, count)
        found = choose_threshold(target, probability, np.arange(count), Rule("f1"))
        assert found.ci_low <= found.value <= found.ci_high
        widths.append(found.ci_high - found.ci_low)
        copies = [np.repeat(values, 4) for values in (target, probability, np.arange(count))]
        often = choose_threshold(*copies, Rule("f1"))
        assert (often.ci_low, often.ci_high) == pytest.approx((found.ci_low, found.ci_high))
    assert widths[1] < 0.6 * widths[0]
    assert choose_threshold(np.zeros(4), np.arange(4) / 4, np.arange(4), Rule("f1")).ci_low is None


def test_what_model_json_says_of_a_threshold() -> None:
    rule = Rule("f1", min_positives=1)
    found = choose_threshold(np.array([0.0, 1.0]), np.array([0.25, 0.75]), np.arange(2), rule, resamples=0)
    whole = {"value": 0.5, "ci_low": None, "ci_high": None, "positives": 1, "rule": "sweep"}
    assert found.describe() == whole


def test_probabilities_of_exactly_0_and_1_have_log_odds_too() -> None:
    target = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    probability = np.array([0.0, 1.0, 1.0, 0.2, 0.6, 0.4])
    exact, near = (
        choose_threshold(target, values, np.arange(6), Rule("f1"))
        for values in (probability, probability.clip(1e-9, 1 - 1e-9))
    )
    assert exact.rule == "smoothed"
    assert [exact.value, exact.ci_low, exact.ci_high] == pytest.approx(
        [near.value, near.ci_low, near.ci_high], abs=1e-8
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("f1"), [2 / 3, 2 / 4, 4 / 5, 4 / 6]),
        (Rule("f1", beta=2), [2 / 3, 2 / 4, 4 / 5, 4 / 6]),  # beta is of "fbeta" alone
        (Rule("fbeta", beta=3), [10 / 19, 10 / 20, 20 / 21, 20 / 22]),
        (Rule("youden"), [1 / 2 - 0, 1 / 2 - 1 / 3, 1 - 1 / 3, 1 - 2 / 3]),
        (Rule("sensitivity"), [0, 0, 1, 1]),
        (Rule("sensitivity", sensitivity=0.5), [1, 1, 1, 1]),
    ],
)
def test_scores_of_cuts_by_hand(rule: Rule, expected: list[float]) -> None:
    """Positive, negative, positive, negative from the top, of 2 positives and 3 negatives."""
    found = rule.score(np.array([1.0, 1, 2, 2]), np.array([1.0, 2, 3, 4]), 2, 3)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected)


def smoothed_by_formula(target: np.ndarray, probability: np.ndarray, width: float) -> float:
    """Of the cuts half-way between neighbours that of the best expected F1, cut by cut."""
    falling = np.unique(probability)[::-1]
    best, value = -1.0, np.nan
    for cut in (falling + np.append(falling[1:], 0)) / 2:
        expected = sum(norm.cdf((logit(p) - logit(cut)) / width) for p in probability[target == 1])
        wrong = (probability[target == 0] > cut).sum()
        f1 = 2 * expected / (expected + wrong + (target == 1).sum())
        if f1 > best + 1e-12:
            best, value = f1, cut
    return float(value)


@pytest.mark.parametrize("width", [0.3, 1.0, 3.0])
def test_a_smoothed_threshold_counts_the_positives_expected_above_it(width: float) -> None:
    rng = np.random.default_rng(int(10 * width))
    for _ in range(8):
        target, probability = rng.permutation([1.0] * 4 + [0.0] * 8), rng.random(12).round(1).clip(0.05, 0.95)
        found = best_threshold(target, probability, Rule("f1"), width=width)
        assert found == pytest.approx(smoothed_by_formula(target, probability, width))


def test_a_sensitivity_that_no_smoothed_threshold_reaches_calls_all() -> None:
    target, probability = np.array([1.0, 0, 0]), np.array([0.8, 0.6, 0.4])
    assert best_threshold(target, probability, Rule("sensitivity", sensitivity=1.0), width=1.0) == pytest.approx(0.2)
    # the positive lies above 0.7 with Phi(logit 0.8 - logit 0.7) = 0.705, above 0.5 with 0.917
    for wanted, cut in ((0.7, 0.7), (0.71, 0.5), (0.91, 0.5), (0.92, 0.2)):
        found = best_threshold(target, probability, Rule("sensitivity", sensitivity=wanted), width=1.0)
        assert found == pytest.approx(cut)


# Two recordings of each of twelve patients; of 100 neither is known, of 5 one. Four patients have the label.
PATIENTS = np.repeat([2, 10, 3, 40, 5, 6, 100, 8, 9, 11, 12, 1], 2)
HAS = np.repeat([1.0, 0, 1, 0, 0, 1, NAN, 0, 0, 0, 1, 0], 2)
HAS[8] = NAN
SAID = np.random.default_rng(3).random(24).round(2) * 0.6 + 0.3 * (HAS == 1)


@pytest.mark.parametrize("smoothed", [False, True])
def test_an_interval_is_of_patients_drawn_with_replacement(smoothed: bool) -> None:
    """Patient by patient, and a drawing's own width where it is smoothed."""
    names = sorted({str(patient) for patient in PATIENTS} - {"100"})
    rng, thresholds = np.random.default_rng(0), []
    for _ in range(200):
        rows = np.concatenate([np.flatnonzero(PATIENTS.astype(str) == names[i]) for i in rng.integers(11, size=11)])
        target, probability = HAS[rows], SAID[rows]
        if not smoothed:
            found = best_threshold(target, probability, Rule("f1"))
        elif have := len(set(PATIENTS[rows][target == 1])):
            found = best_threshold(
                target, probability, Rule("f1"), width=float(np.std(logit(probability[target == 0]))) * have**-0.2
            )
        else:
            found = None
        thresholds += [] if found is None else [found]
    rule = Rule("f1", min_positives=5 if smoothed else 4)
    chosen = choose_threshold(HAS, SAID, PATIENTS, rule)
    assert (chosen.rule, chosen.positives) == ("smoothed" if smoothed else "sweep", 4)
    width = float(np.std(logit(SAID[HAS == 0]))) * 4**-0.2 if smoothed else 0.0
    assert chosen.value == best_threshold(HAS, SAID, rule, width=width)
    assert [chosen.ci_low, chosen.ci_high] == pytest.approx(np.quantile(thresholds, [0.025, 0.975]).tolist())
    assert chosen.ci_low < chosen.value < chosen.ci_high


@pytest.mark.parametrize(("resamples", "interval"), [(1, None), (2, 0.5), (3, None), (5, None)])
def test_no_interval_where_most_drawings_have_one_class(resamples: int, interval: float | None) -> None:
    """Of two patients the second and the fifth drawing hold both: none of 1, 1 of 2, 1 of 3, 2 of 5."""
    target, probability, rule = np.array([0.0, 1.0]), np.array([0.25, 0.75]), Rule("f1", min_positives=0)
    found = choose_threshold(target, probability, np.arange(2), rule, resamples=resamples)
    assert (found.value, found.ci_low, found.ci_high) == (0.5, interval, interval)


def test_a_label_of_one_class_counts_its_patients_and_each_column_is_its_own() -> None:
    target = np.array([[1.0, 0], [1, 0], [1, 1], [NAN, 0]])
    probability = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.9], [0.1, 0.3]])
    patients = np.array(["p", "p", "q", "r"])
    found = choose_thresholds(target, probability, patients, ["all", "some"], Rule("f1", min_positives=1))
    assert found["all"].describe() == {
        "value": 0.5, "ci_low": None, "ci_high": None, "positives": 2, "rule": "default",
    }  # fmt: skip
    assert (found["some"].value, found["some"].positives, found["some"].rule) == (pytest.approx(0.6), 1, "sweep")
