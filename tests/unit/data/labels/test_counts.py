"""Labels that too few records carry, or all, and splits without any."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecglfm.config import TaskConfig, TaskSlice, UserError
from ecglfm.data.labels.labels import read_left_out, run_labels
from tests.unit.data.labels.ten_records import INDEX, values


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


def label_folds(folder: Path, folds: list[int | None], labels: dict[str, list[str]], **config: object) -> pd.DataFrame:
    """Labels by words of the report, of the ten records in some folds of three."""
    INDEX.to_parquet(folder / "s.parquet", index=False)
    fold = pd.array(folds, dtype="Int8")
    split = pd.Series("test", index=INDEX.index).where(pd.Series(~fold.isna()), "train")
    records = INDEX[["record_id", "source", "patient_id"]].assign(split=split, fold=fold)
    whole = pa.Table.from_pandas(records, preserve_index=False)
    pq.write_table(whole.replace_schema_metadata({b"folds": b'{"s": 3}'}), folder / "records.parquet")
    named = {label: {"challenge2021": {"report": words}} for label, words in labels.items()}
    task = TaskConfig.model_validate({"kind": "multilabel", "labels": named} | config)
    run_labels(
        TaskSlice(task="t", config=task, kinds={"s": "challenge2021"}, fitted=True),
        folder / "records.parquet", [folder / "s.parquet"], folder / "t.parquet",
    )  # fmt: skip
    return pd.read_parquet(folder / "t.parquet").set_index("record_id")


def test_folds_stand_beside_the_labels(tmp_path: Path) -> None:
    dealt = [0, 1, 2, 0, 1, 2, 0, 1, 2, None]
    table = label_folds(tmp_path, dealt, {"some": ["sinus|f"]}, min_positives=1)
    assert list(table.columns[2:4]) == ["split", "fold"]
    assert [table["fold"].get(f"s/{i}", "left out") for i in (0, 1, 5)] == [0, 1, 2]
    assert table["split"].to_dict()["s/9"] == "train"


def test_a_label_has_as_many_positives_as_the_model_with_the_fewest(tmp_path: Path) -> None:
    """Sinus rhythm is in records 0, 3 (fold 0) and 7 (fold 1): models 0, 1, 2 learn from folds 2, 0, 1."""
    dealt = [0, 1, 2, 0, 1, 2, 0, 1, 2, None]
    said = r"label 'SR' of task 't' has no positive among \d training records .*fold 0 2, fold 1 1, fold 2 0"
    with pytest.raises(UserError, match=said):
        label_folds(tmp_path, dealt, {"SR": ["sinus"]}, min_positives=2)
    with pytest.raises(UserError, match=r"has 1 positive, fewer than 2, among .*fold 0 1, fold 1 1, fold 2 1"):
        label_folds(tmp_path, [0, 1, 2, 1, 1, 2, 0, 2, 2, None], {"SR": ["sinus"]}, min_positives=2)


def test_an_empty_fold_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"task 't': no record of it is in the fold 2 \(fold 0 \d, fold 1 \d, fold 2 0\)"
    ):
        label_folds(tmp_path, [None, 1, 0, 1, 0, 1, 0, 1, 0, None], {"SR": ["sinus"]}, min_positives=1)
