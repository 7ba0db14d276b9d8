"""Label sets of every kind, what they leave out and why, on ten records of one database."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from ecglfm.config import TaskConfig, TaskSlice, UserError
from ecglfm.data import tables
from ecglfm.data.labels.labels import read_left_out, run_labels

SPLITS = ["train", "train", "train", "train", "train", "train", "valid", "test", "test", None]
INDEX = pd.DataFrame(
    {
        "record_id": [f"s/{i}" for i in range(10)],
        "source": "s",
        "patient_id": [f"s/p{i}" for i in range(10)],
        "path": "",
        "age": [30.0, 41.5, np.nan, 90.0, 55.0, 60.0, 20.0, 33.0, np.nan, 70.0],
        "sex": ["male", "female", None, "male", "female", "male", "female", "male", "female", "male"],
        "fold": pd.array([1] * 10, dtype="Int64"),
        "codes": [[{"code": "A", "likelihood": 100.0}] if i % 2 else [] for i in range(10)],
        "report": [
            "sinus",
            "fibrillation",
            "flutter",
            "sinus",
            None,
            "fibrillation and flutter",
            "x",
            "sinus",
            "",
            "y",
        ],
        "native.dx": "",
        "native.age": ["300"] * 10,
        "native.grade": ["1", "2", "3", "3", None, "1", "2", "3", "1", "1"],
        "native.death": ["True", "False", "true", None, "0", "1", "False", "True", "False", "True"],
        "native.years": ["1.5", "2", "0", "3", "4.25", None, "1", "2", "nan", "9"],
        "native.comment": ["a", " ", None, "b", "", "c", "d", "e", "f", "g"],
    }
)


@pytest.fixture(params=[3, 16384])
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """Run the stage, in pieces of so many rows; gives the table by record and the reasons of the ledger."""
    monkeypatch.setattr(tables, "ROWS_TOGETHER", request.param)
    INDEX.to_parquet(tmp_path / "s.parquet", index=False)
    records = INDEX[["record_id", "source", "patient_id"]].assign(split=SPLITS)
    records.to_parquet(tmp_path / "records.parquet", index=False)

    def run(labels: dict, index: pd.DataFrame | None = None, **config):
        if index is not None:
            index.to_parquet(tmp_path / "s.parquet", index=False)
        labels = {label: {"challenge2021": selector} for label, selector in labels.items()}
        slice_ = TaskSlice(
            task="t", config=TaskConfig.model_validate(config | {"labels": labels}), kinds={"s": "challenge2021"}
        )
        run_labels(slice_, tmp_path / "records.parquet", [tmp_path / "s.parquet"], tmp_path / "t.parquet")
        ledger = pd.read_parquet(tmp_path / "t.ledger.parquet")
        table = pd.read_parquet(tmp_path / "t.parquet").set_index("record_id")
        assert len(table) + len(ledger) == len(INDEX)
        assert all(table[column].dtype == np.float32 for column in table.columns[3:])
        return table, dict(zip(ledger["record_id"].str[2:].astype(int), ledger["reason"], strict=True))

    return run


def values(table: pd.DataFrame, column: str) -> dict[int, float]:
    return {int(record[2:]): value for record, value in table[column].items()}


def test_regression_takes_the_standard_column_before_the_databases_own(run):
    table, ledger = run({"age": {"value": "age"}}, kind="regression")
    assert list(table.columns) == ["patient_id", "source", "split", "label.age"]
    assert values(table, "label.age") == {0: 30, 1: 41.5, 3: 90, 4: 55, 5: 60, 6: 20, 7: 33}
    assert ledger == {2: "label_unknown", 8: "label_unknown", 9: "no_split"}
    table, _ = run({"age": {"value": "native.age"}}, kind="regression")
    assert set(table["label.age"]) == {300}


def test_text_that_is_no_number_names_file_record_and_column(run):
    with pytest.raises(
        UserError, match=r"labels\.x\.challenge2021: index/s\.parquet: s/0: native\.comment must be a n"
    ):
        run({"x": {"value": "comment"}}, kind="regression")
    with pytest.raises(UserError, match=r"s/0: native\.years must be a number, found '1e39'"):
        run({"x": {"value": "years"}}, INDEX.assign(**{"native.years": "1e39"}), kind="regression")


def test_survival_has_times_and_events(run):
    table, ledger = run({"death": {"time": "years", "event": "death"}}, kind="survival")
    assert list(table.columns) == ["patient_id", "source", "split", "time.death", "event.death"]
    assert values(table, "time.death") == {0: 1.5, 1: 2, 4: 4.25, 6: 1, 7: 2}
    assert values(table, "event.death") == {0: 1, 1: 0, 4: 0, 6: 0, 7: 1}
    assert ledger == {2: "time_not_positive", 3: "label_unknown", 5: "label_unknown", 8: "label_unknown", 9: "no_split"}
    by_condition, ledger = run({"death": {"time": "years", "event": "grade == 1"}}, kind="survival")
    assert values(by_condition, "event.death") == {0: 1, 1: 0, 3: 0, 6: 0, 7: 0}
    assert ledger[4] == "label_unknown"  # no grade


def test_time_that_is_not_above_0_is_unknown_where_another_outcome_keeps_the_record(run):
    grades = {"time": "grade", "event": "death"}
    table, ledger = run({"death": {"time": "years", "event": "death"}, "other": grades}, kind="survival")
    assert table.loc["s/2", ["time.death", "event.death"]].isna().all()  # 0 years
    assert table.loc["s/2", ["time.other", "event.other"]].tolist() == [3, 1]
    assert 2 not in ledger


def test_event_that_is_neither_true_nor_false(run):
    with pytest.raises(UserError, match=r"s/1: native\.grade must be true or false, or 1 or 0, found '2'"):
        run({"death": {"time": "years", "event": "grade"}}, kind="survival")


def test_multiclass_is_one_hot(run):
    labels = {"SR": {"report": ["sinus"]}, "AFIB": {"report": ["fibril"]}, "AFLT": {"report": ["flutter"]}}
    table, ledger = run(labels, kind="multiclass")
    assert table[["label.SR", "label.AFIB", "label.AFLT"]].astype(int).to_numpy().tolist() == [
        [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0]
    ]  # fmt: skip
    assert [int(record[2:]) for record in table.index] == [0, 1, 2, 3, 7]
    assert ledger == {4: "no_label", 5: "several_classes", 6: "no_label", 8: "no_label", 9: "no_split"}


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


def test_ignore_leaves_unknown_what_a_record_says_nothing_about(run):
    labels = {
        "A": {"snomed": ["A"]},
        "sinus": {"report": ["sinus"]},
        "ab": {"column": {"comment": ["a", "b"]}},
        "male": {"where": "sex == 'male'"},
        "either": {"report": ["sinus"], "column": {"comment": ["a"]}},
    }
    table, _ = run(labels, kind="multilabel", missing="ignore")
    unknown = {name: [int(r[2:]) for r in table.index[table[f"label.{name}"].isna()]] for name in labels}
    assert unknown == {"A": [0, 2, 4, 6, 8], "sinus": [4, 8], "ab": [1, 2, 4], "male": [2], "either": [4]}
    assert values(table, "label.male") == pytest.approx(
        {0: 1, 1: 0, 2: np.nan, 3: 1, 4: 0, 5: 1, 6: 0, 7: 1, 8: 0}, nan_ok=True
    )


def test_excluded_records_are_in_the_ledger(run):
    exclude = {"challenge2021": {"where": "grade == 3", "report": ["^x$"]}}
    table, ledger = run({"SR": {"report": ["sinus"]}}, kind="binary", exclude=exclude)
    assert [int(record[2:]) for record in table.index] == [0, 1, 4, 5, 8]
    assert ledger == {2: "excluded", 3: "excluded", 6: "excluded", 7: "excluded", 9: "no_split"}


def test_among_says_of_which_records_a_selector_knows(run):
    labels = {"SR": {"report": ["sinus"], "among": "grade in [1, 3]"}}
    table, ledger = run(labels, kind="binary")
    assert values(table, "label.SR") == {0: 1, 2: 0, 3: 1, 5: 0, 7: 1, 8: 0}
    assert ledger == {1: "label_unknown", 4: "label_unknown", 6: "label_unknown", 9: "no_split"}


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
