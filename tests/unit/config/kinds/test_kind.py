"""Columns of labels by kind, as files on disk have them, and how many labels a task may have."""

from __future__ import annotations

import pytest

from ecglfm.config.kinds import KINDS


@pytest.mark.parametrize(
    ("kind", "labels", "truth", "output", "thresholds"),
    [
        ("binary", ["label.x"], ["target.x"], "probability.x", ["threshold.x", "threshold.y"]),
        ("multilabel", ["label.x"], ["target.x"], "probability.x", ["threshold.x", "threshold.y"]),
        ("multiclass", ["label.x"], ["target.x"], "probability.x", ["threshold.x", "threshold.y"]),
        ("regression", ["label.x"], ["target.x"], "prediction.x", []),
        ("survival", ["time.x", "event.x"], ["time.x", "event.x"], "risk.x", []),
    ],
)
def test_columns(kind: str, labels: list[str], truth: list[str], output: str, thresholds: list[str]) -> None:
    found = KINDS[kind]
    assert found.label_columns("x") == labels
    assert found.truth_columns("x") == truth
    assert found.output_column("x") == output
    assert found.threshold_columns(["x", "y"]) == thresholds
    assert (found.has_classes, found.independent) == (bool(thresholds), kind in {"binary", "multilabel"})


@pytest.mark.parametrize(
    ("kind", "number", "message"),
    [
        ("binary", 2, "`kind: binary` has exactly one label, found 2; write `multilabel`"),
        ("multiclass", 1, "`kind: multiclass` chooses among labels, found only one; write `binary`"),
    ],
)
def test_numbers_of_labels(kind: str, number: int, message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (compared below)
        KINDS[kind].check_number(number)
    assert str(raised.value) == message
    KINDS[kind].check_number(3 - number)
    KINDS["multilabel"].check_number(number)
