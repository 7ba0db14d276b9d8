"""Records that a model is evaluated on: labels and manifest must agree on split and fold."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.prediction import labelled_records, predictions_on_test

LABELS = Path("labels/x.parquet")


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and manifest of three cross-validated records, and of one in train and one in valid of another source."""
    manifest = pd.DataFrame(
        {
            "record_id": list("abctv"), "split": ["test"] * 3 + ["train", "valid"], "source": "s",
            "fold": pd.array([0, 1, 2, pd.NA, pd.NA], dtype="Int8"),
        }
    )  # fmt: skip
    return manifest[["record_id", "split", "fold"]].assign(**{"label.x": [1.0, 0.0, 1.0, 0.0, 1.0]}), manifest


def test_records_of_folds_and_of_no_fold_are_found() -> None:
    labels, manifest = tables()
    found = labelled_records(labels[::-1], manifest, ["x"], LABELS)
    assert found["record_id"].tolist() == list("abcv")
    assert found["fold"].fillna(-1).tolist() == [0, 1, 2, -1]
    assert found["label.x"].tolist() == [1, 0, 1, 1]


def test_a_record_that_has_changed_its_fold_is_refused() -> None:
    labels, manifest = tables()
    labels.loc[1, "fold"] = 2  # the model of fold 1 may have been fitted to it
    with pytest.raises(UserError, match="x.parquet: 1 of its records have another split or fold in the manifest"):
        labelled_records(labels, manifest, ["x"], LABELS)


def test_labels_with_folds_want_a_manifest_with_folds() -> None:
    labels, manifest = tables()
    with pytest.raises(UserError, match="the manifest: column 'fold' is missing"):
        labelled_records(labels, manifest.drop(columns="fold"), ["x"], LABELS)


def test_folds_of_other_tasks_are_not_looked_at() -> None:
    labels, manifest = tables()
    assert "fold" not in labelled_records(labels.drop(columns="fold"), manifest, ["x"], LABELS)


def test_the_test_split_of_a_table_of_predictions() -> None:
    table = pd.DataFrame({
        "split": ["valid", "test", "test"], "patient_id": ["p", "q", "r"], "target.x": [0.0, 1.0, 0.0],
        "probability.x": [0.1, 0.2, 0.3], "threshold.x": [0.4, 0.5, 0.6],
    })  # fmt: skip
    data = predictions_on_test(table, ["x"])
    assert data.patients.tolist() == ["q", "r"]
    assert data.probabilities.tolist() == [[0.2], [0.3]]
    assert data.thresholds.tolist() == [[0.5], [0.6]]
