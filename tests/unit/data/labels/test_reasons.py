"""Which reason a record is left out for, where several hold; by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import TaskConfig, TaskSlice
from ecglfm.data.labels.reasons import ledger_of, left_out
from ecglfm.data.labels.source_targets import EXCLUDED

LABELS = {name: {"ptbxl": {"scp": [name]}} for name in ("A", "B")}


def reasons(kind: dict, rows: list[tuple], columns: tuple[str, ...]) -> list[str | None]:
    """Reasons of records with these labels; the last two of a row are its split and whether `exclude` takes it out."""
    labels = kind.pop("labels", LABELS)
    slice_ = TaskSlice(task="t", config=TaskConfig.model_validate(kind | {"labels": labels}), kinds={"s": "ptbxl"})
    found = left_out(pd.DataFrame(rows, columns=[*columns, "split", EXCLUDED]), slice_)
    return [None if pd.isna(why) else why for why in found]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({"kind": "multilabel"}, [None, None, None, None, "label_unknown", "excluded", "no_split"]),
        ({"kind": "multilabel", "missing": "drop"},
         [None, None, "no_label", "no_label", "label_unknown", "excluded", "no_split"]),
        ({"kind": "multiclass"},
         [None, "several_classes", "no_label", "no_label", "label_unknown", "excluded", "no_split"]),
    ],
)  # fmt: skip
def test_the_last_of_the_rules_that_hold_counts(kind, expected):
    rows = [
        (1, 0, "train", False), (1, 1, "train", False), (0, 0, "test", False), (0, np.nan, "test", False),
        (np.nan, np.nan, "test", False), (np.nan, np.nan, "valid", True), (1, 1, None, True),
    ]  # fmt: skip
    assert reasons(kind, rows, ("label.A", "label.B")) == expected


def test_a_time_that_is_not_above_zero():
    kind = {"kind": "survival", "labels": {"D": {"ptbxl": {"file": {"path": "f.csv", "by": "patient_id"}, "time": "y", "event": "e"}}}}  # fmt: skip
    rows = [(0.5, 1, "train", False), (0.0, 1, "train", False), (np.nan, np.nan, "train", False)]
    assert reasons(kind, rows, ("time.D", "event.D")) == [None, "time_not_positive", "label_unknown"]


def test_a_row_of_the_ledger_says_why_in_words():
    out = pd.DataFrame({"source": ["s"], "record_id": ["s/1"]})
    (row,) = ledger_of("t", out, pd.Series(["several_classes"])).to_dict("records")
    assert (row["record_id"], row["action"], row["reason"]) == ("s/1", "dropped", "several_classes")
    assert row["detail"] == "task t: carries several of the task's classes"
