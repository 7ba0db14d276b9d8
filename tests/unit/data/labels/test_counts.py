"""Labels that too few records carry, or all, and splits without any."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import UserError
from ecglfm.data.labels.labels import read_left_out
from tests.unit.data.labels.ten_records import values


def test_class_that_is_left_out_takes_its_records_along(run):
    labels = {"SR": {"report": ["sinus"]}, "AFIB": {"column": {"grade": ["2"]}}, "AFLT": {"report": ["flutter$"]}}
    table, ledger = run(labels, kind="multiclass", rare="leave_out")
    assert list(table.columns[3:]) == ["label.SR", "label.AFIB", "label.AFLT"]
    table, ledger = run(labels, kind="multiclass", rare="leave_out", min_positives=2)
    assert list(table.columns[3:]) == ["label.SR", "label.AFLT"]
    assert {record: why for record, why in ledger.items() if why == "rare_class"} == {1: "rare_class", 6: "rare_class"}
    with pytest.raises(
        UserError, match="too few of its labels can be trained on; label 'SR' has 2 positives, fewer than 3"
    ):
        run(labels, kind="multiclass", rare="leave_out", min_positives=3)


def test_rare_labels_are_left_out_or_an_error_and_their_records_stay(run, tmp_path: Path):
    labels = {"SR": ["sinus"], "F": ["^f"], "X": ["^x$"], "NONE": ["nothing"]}
    labels = {label: {"report": patterns} for label, patterns in labels.items()}
    with pytest.raises(UserError, match=r"label 'NONE' of task 't' matches none of 10 records"):
        run(labels, kind="multilabel")
    table, ledger = run(labels, kind="multilabel", rare="leave_out", missing="drop")
    assert list(table.columns[3:]) == ["label.SR", "label.F"]
    assert values(table, "label.SR") == {0: 1, 1: 0, 2: 0, 3: 1, 5: 0, 6: 0, 7: 1}  # 6 has a label of the task: X
    why = read_left_out(tmp_path / "t.parquet")
    assert list(why) == ["X", "NONE"]
    assert why["X"].startswith("has no positive among ")
    assert set(ledger.values()) == {"no_label", "no_split"}
    with pytest.raises(UserError, match=r"label 'SR' of task 't' has 2 positives, fewer than 3, among 6 training rec"):
        run({"SR": {"report": ["sinus"]}}, kind="binary", min_positives=3)


def test_label_that_all_training_records_carry_is_left_out(run):
    labels = {"all": {"where": "age > 0 or age is None"}, "SR": {"report": ["sinus"]}}
    table, _ = run(labels, kind="multilabel", rare="leave_out")
    assert list(table.columns[3:]) == ["label.SR"]
    table, _ = run(labels, kind="multilabel")
    assert list(table.columns[3:]) == ["label.all", "label.SR"]
