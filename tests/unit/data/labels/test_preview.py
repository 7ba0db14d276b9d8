"""What a label set would hold, as text: overlaps, columns and codes, worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.config import Selector, TaskConfig, TaskSlice
from ecglfm.data.labels.counts import LabelCounts
from ecglfm.data.labels.preview import _label_table, _overlaps, _parts, _record_table, text_table

NAN = np.nan


def counted(kind: str, **columns: list[float]) -> tuple[TaskSlice, LabelCounts]:
    """Five records of two sources: two in train, one in valid, two in test."""
    selector = {"survival": {"time": "t", "event": "e"}, "regression": {"value": "v"}}.get(kind, {"scp": ["X"]})
    names = list(dict.fromkeys(name.partition("_")[2] for name in columns))
    labels = {name: {"ptbxl": selector} for name in names}
    config = TaskConfig.model_validate({"kind": kind, "labels": labels})
    slice_ = TaskSlice(task="t", config=config, kinds={"p": "ptbxl", "q": "ptbxl"})
    counts = LabelCounts(slice_)
    table = pd.DataFrame({"split": ["train", "train", "valid", "test", "test"], "source": list("ppqqp")})
    table = table.assign(**{name.replace("_", "."): values for name, values in columns.items()})
    for piece in (table[:2], table[2:]):
        counts.add(piece)
    return slice_, counts


def cells(lines: list[str]) -> list[list[str]]:
    return [
        line.split("  ") for line in ("  ".join(part.strip() for part in line.split("  ") if part) for line in lines)
    ]


def test_columns_are_aligned() -> None:
    assert text_table([["a", "bb", "c"], ["aaa", "1", "222"]]) == ["a    bb    c", "aaa   1  222"]


def test_records_by_source_and_split() -> None:
    slice_, counts = counted("multilabel", label_a=[1, 0, 1, 0, NAN])
    assert cells(_record_table(slice_, counts)) == [
        ["records", "train", "valid", "test", "all"],
        ["p", "2", "0", "1", "3"],
        ["q", "0", "1", "1", "2"],
        ["all", "2", "1", "2", "5"],
    ]


def test_labels_and_those_that_stand_together() -> None:
    slice_, counts = counted("multilabel", label_a=[1, 0, 1, 0, NAN], label_b=[1, 1, 1, 1, 0])
    assert cells(_label_table(slice_, counts)) == [
        ["carry it", "train", "valid", "test", "all", "known", "share", "p", "q"],
        ["a", "1", "1", "0", "2", "4", "50.0 %", "1/2", "1/2"],
        ["b", "2", "1", "1", "4", "5", "80.0 %", "2/3", "2/2"],
    ]
    assert cells(_overlaps(counts))[1] == ["a and b", "2", "100.0 %", "50.0 %"]


def test_numbers_have_mean_and_deviation_and_times_a_mean() -> None:
    slice_, counts = counted("regression", label_a=[1, 3, 5, NAN, 7])
    head, row = cells(_label_table(slice_, counts))
    assert dict(zip(head, row, strict=True)) | {"SD": "2.236"} == dict(zip(head, row, strict=True))
    assert (row[head.index("mean")], row[head.index("all")]) == ("4", "4")
    slice_, counts = counted("survival", time_a=[1, 2, 3, 6, NAN], event_a=[1, 0, 1, 0, NAN])
    head, row = cells(_label_table(slice_, counts))
    assert (row[head.index("mean time")], row[head.index("all")], row[head.index("known")]) == ("3", "2", "4")


def test_each_code_and_value_is_looked_for_by_itself() -> None:
    selector = Selector(scp=["A", "B"], column={"native.x": ["1", "2"]}, where="age > 1", min_likelihood=50)
    parts = dict(_parts(selector))
    assert list(parts) == ["scp 'A'", "scp 'B'", "native.x '1'", "native.x '2'", "where 'age > 1'"]
    assert (parts["scp 'B'"].clauses, parts["scp 'B'"].scp, parts["scp 'B'"].min_likelihood) == (["scp"], ["B"], 50)
    assert (parts["native.x '2'"].clauses, parts["native.x '2'"].column) == (["column"], {"native.x": ["2"]})
