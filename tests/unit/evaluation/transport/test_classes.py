"""What a model of classes presupposes; how it is measured elsewhere is in `test_transport.py`."""

from __future__ import annotations

from ecglfm.evaluation.transport.classes import prior_of


def test_the_prior_is_that_of_training_or_of_the_test_split_at_home() -> None:
    home = {"n": {"positives": {"a": 3, "b": 0}, "known": {"a": 12, "b": 5}}}
    assert prior_of({"training": {"prior": {"a": 0.4}}}, home, ["a", "b", "c"]) == {"a": 0.4, "b": None, "c": None}
    assert prior_of({}, home, ["a"]) == {"a": 0.25}
    assert prior_of({}, None, ["a"]) == {"a": None}
