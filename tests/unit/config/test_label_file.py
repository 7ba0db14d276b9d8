"""A table of labels: its ids, and where its files lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ecglfm.config import LabelFile


def test_ids_stand_in_a_column_that_may_have_another_name() -> None:
    assert LabelFile(path="own.csv").id_column == "record_id"
    assert LabelFile(path="own.csv", id="ecg").id_column == "ecg"
    assert LabelFile(path="own.csv", by="patient_id", id="MRN").id_column == "MRN"


def test_every_file_is_named_and_located() -> None:
    file = LabelFile(path="own.csv", y_npy="y.npy", label_def="/abs/def.csv")
    assert file.located(Path("config")).files == ["config/own.csv", "config/y.npy", "/abs/def.csv"]
    assert LabelFile(path="~/own.csv").located(Path("config")).files == [str(Path.home() / "own.csv")]
    with pytest.raises(ValidationError, match="`y_npy` and `label_def` go together"):
        LabelFile(path="own.csv", y_npy="y.npy")
