"""Targets from a table of labels, by kind: what is read, what is refused by name, what cannot be learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.training.finetuning.targets import check_targets, make_link, read_targets

NAN = np.nan
LABELS = Path("labels/t.parquet")


def table(**columns: list[float]) -> pd.DataFrame:
    length = len(next(iter(columns.values())))
    about = {"record_id": [f"s/{number}" for number in range(length)]}
    return pd.DataFrame(about | {name.replace("_", "."): values for name, values in columns.items()})


def test_times_carry_their_event_in_the_sign() -> None:
    target, names = read_targets(table(time_x=[3, 2, NAN], event_x=[1, 0, NAN]), "survival", LABELS)
    assert names == ["x"]
    np.testing.assert_array_equal(target, [[3], [-2], [NAN]])


def test_labels_keep_the_order_of_the_table() -> None:
    target, names = read_targets(table(label_b=[1, NAN], label_a=[0, 1]), "multilabel", LABELS)
    assert names == ["b", "a"]
    np.testing.assert_array_equal(target, np.float32([[1, 0], [NAN, 1]]))


@pytest.mark.parametrize(
    ("kind", "columns", "said"),
    [
        ("multilabel", {"label_a": [1, 0], "label_b": [0, 2]}, "s/1, label 'b': expected 1, 0 or nothing"),
        ("multiclass", {"label_a": [1, 1], "label_b": [0, 1]}, "s/1, label 'a': expected exactly one class per record"),
        ("multiclass", {"label_a": [0, 1], "label_b": [0, 0]}, "s/0, label 'a': expected exactly one class per record"),
        (
            "survival",
            {"time_a": [1, 0], "event_a": [1, 1]},
            "s/1, label 'a': expected a time above 0 with an event of 0 or 1",
        ),
        ("multiclass", {"label_a": [NAN, 1], "label_b": [NAN, 1]}, "s/1, label 'a': expected exactly one class"),
        ("survival", {"time_a": [1, 2], "event_a": [1, 0.5]}, "s/1, label 'a': expected a time above 0"),
        ("survival", {"time_a": [1, 2], "event_b": [1, 0]}, "event.a"),
        ("regression", {"target_a": [1, 2]}, "there is no column `label.…`"),
    ],
)
def test_the_first_wrong_cell_is_named(kind: str, columns: dict[str, list[float]], said: str) -> None:
    with pytest.raises(UserError, match=r"^labels/t\.parquet: [^\n]*$") as raised:
        read_targets(table(**columns), kind, LABELS)
    assert said in str(raised.value)


def test_a_record_of_which_no_class_is_known_is_no_fault() -> None:
    target, _ = read_targets(table(label_a=[NAN, 1], label_b=[NAN, 0]), "multiclass", LABELS)
    assert np.isnan(target[0]).all()


@pytest.mark.parametrize(
    ("kind", "train", "valid", "said"),
    [
        ("multilabel", [1, 1, NAN], [1, 0], "label 'x' has no negative record in the train split (3 records)"),
        ("multilabel", [0, 0, NAN], [1, 0], "label 'x' has no positive record in the train split (3 records)"),
        ("multilabel", [1, 0, 0], [NAN, NAN], "every label is unknown in the valid split"),
        ("regression", [2, 2, NAN], [1, 5], "label 'x' has no two different values in the train split"),
        ("survival", [-1, -2, NAN], [1, -1], "label 'x' has no event in the train split"),
        ("survival", [1, -2, 3], [-1, -1], "there is no event in the valid split"),
        ("survival", [1, -2, 3], [1, -1], None),
        ("survival", [0.5, -2, -3], [0.25, -1], None),  # a fraction of a year is an event too
        ("regression", [2, 3, NAN], [1, 1], None),
    ],
)
def test_what_cannot_be_learnt_or_chosen(kind: str, train: list[float], valid: list[float], said: str | None) -> None:
    target = np.array([*train, *valid], np.float32)[:, None]
    rows = {"train": np.arange(3), "valid": np.array([3, 4])}
    if said is None:
        check_targets(target, ["x"], rows, kind, LABELS)
        return
    with pytest.raises(UserError) as raised:
        check_targets(target, ["x"], rows, kind, LABELS)
    assert said in str(raised.value)


def test_quantities_are_standardised_by_the_known_training_targets() -> None:
    link = make_link("regression", np.array([[1, 5, NAN], [3, 5, NAN], [NAN, 5, NAN]]))
    assert list(link.mean) == [2, 5, 0]
    assert list(link.scale) == [1, 1, 1]  # of 1 and 3; of one value, and of none
    assert list(make_link("regression", np.array([[0.0], [6.0]])).scale) == [3]
    assert list(make_link("multilabel", np.ones((2, 1))).mean) == []


def test_a_quantity_is_any_number() -> None:
    target, names = read_targets(table(label_x=[-1.5, 2e6, NAN]), "regression", LABELS)
    assert (names, target.dtype) == (["x"], np.float32)
    np.testing.assert_array_equal(target, [[-1.5], [2e6], [NAN]])


def test_the_whole_sentences() -> None:
    rows = {"train": np.arange(2), "valid": np.arange(2, 4)}
    for kind, values, said in (
        ("survival", [1, -2, -1, -1], "there is no event in the valid split, nothing can be chosen by it"),
        (
            "multilabel",
            [1, 1, 0, 1],
            "label 'x' has no negative record in the train split (2 records); mend or remove its selector in the "
            "task's YAML",
        ),
    ):
        with pytest.raises(UserError) as raised:
            check_targets(np.array(values, np.float32)[:, None], ["x"], rows, kind, LABELS)
        assert str(raised.value) == f"labels/t.parquet: {said}"
