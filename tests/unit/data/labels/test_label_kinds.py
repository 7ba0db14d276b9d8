"""Label sets of every kind, what they leave out and why, on ten records of one database."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ecglfm.config import TaskConfig


def test_time_that_is_not_above_0_is_unknown_where_another_outcome_keeps_the_record(run):
    grades = {"time": "grade", "event": "death"}
    table, ledger = run({"death": {"time": "years", "event": "death"}, "other": grades}, kind="survival")
    assert table.loc["s/2", ["time.death", "event.death"]].isna().all()  # 0 years
    assert table.loc["s/2", ["time.other", "event.other"]].tolist() == [3, 1]
    assert 2 not in ledger


def test_multiclass_is_one_hot(run):
    labels = {"SR": {"report": ["sinus"]}, "AFIB": {"report": ["fibril"]}, "AFLT": {"report": ["flutter"]}}
    table, ledger = run(labels, kind="multiclass")
    assert table[["label.SR", "label.AFIB", "label.AFLT"]].astype(int).to_numpy().tolist() == [
        [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0]
    ]  # fmt: skip
    assert [int(record[2:]) for record in table.index] == [0, 1, 2, 3, 7]
    assert ledger == {4: "no_label", 5: "several_classes", 6: "no_label", 8: "no_label", 9: "no_split"}


def test_excluded_records_are_in_the_ledger(run):
    exclude = {"challenge2021": {"where": "grade == 3", "report": ["^x$"]}}
    table, ledger = run({"SR": {"report": ["sinus"]}}, kind="binary", exclude=exclude)
    assert [int(record[2:]) for record in table.index] == [0, 1, 4, 5, 8]
    assert ledger == {2: "excluded", 3: "excluded", 6: "excluded", 7: "excluded", 9: "no_split"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "regression", "selector": {"report": ["x"]}}, r"labels\.x\.ptbxl: `kind: regression` needs `value`"),
        ({"kind": "binary", "selector": {"value": "age"}}, r"`kind: binary` has no `value`"),
        ({"kind": "survival", "selector": {"time": "t"}}, r"`kind: survival` needs `event`"),
        ({"kind": "regression", "selector": {"value": "age", "where": "age > 1"}}, "`where` is no number; `among`"),
        ({"kind": "binary", "selector": {"where": "age >"}}, "is no condition such as"),
        ({"kind": "binary", "selector": {"among": "age > 3"}}, "empty selector"),
        ({"kind": "binary", "selector": {"report": ["("]}}, r"report pattern '\(' is not a regular expression"),
        ({"kind": "binary", "selector": {"not_report": ["a"], "where": "age > 1"}}, "`not_report` only narrows `report`"),
        ({"kind": "binary", "selector": {"snomed": ["1"], "min_likelihood": 5}}, "count for scp, scp_class, scp_subcl"),
        ({"kind": "binary", "selector": {"scp": ["A"], "min_likelihood": 5, "max_likelihood": 4}}, "no code can count"),
        ({"kind": "binary", "selector": {"scp": ["A"], "file": {"path": "a.csv"}}}, "`scp` asks the database and `file`"),
        ({"kind": "multiclass", "selector": {"scp": ["A"]}}, "`kind: multiclass` chooses among labels"),
    ],
)  # fmt: skip
def test_keys_that_do_not_go_together(config, message):
    with pytest.raises(ValidationError, match=message):
        TaskConfig.model_validate({"kind": config["kind"], "labels": {"x": {"ptbxl": config["selector"]}}})
