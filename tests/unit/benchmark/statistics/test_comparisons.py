"""How often encoders are called better that are, and that are not."""

from __future__ import annotations

import pytest

from ecglfm.benchmark.statistics.comparisons import Case, rates


@pytest.mark.parametrize(
    "case",
    [
        Case(positives=5, labels=10, encoders=3),  # bootstrap, DeLong and Benjamini-Hochberg: 20 % of macro values
        Case(positives=30, labels=5, encoders=3, seeds=3, trainings=0.02),
    ],
)
def test_equal_encoders_are_seldom_called(case: Case) -> None:
    label, macro = rates(case, 100, seed=3)
    assert label <= 0.11  # binomial: one in a hundred suites at 5 %
    assert macro <= 0.11


def test_better_encoders_are_found_and_rare_labels_never_called() -> None:
    assert rates(Case(patients=1000, positives=200, labels=3, difference=0.1), 10, seed=0) == (1.0, 1.0)
    assert rates(Case(positives=4, labels=3, difference=0.15), 10, seed=0) == (0.0, 0.0)
