"""Who is local and who is tested, and which records a cohort is of."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.transport.cohort import cohort_records, draw_local

PATIENTS = np.repeat([f"p{i}" for i in range(40)], np.tile([1, 2, 3, 4], 10))  # 100 records


def test_local_sets_are_of_whole_patients_the_smaller_in_the_larger() -> None:
    drawn = draw_local(PATIENTS, [50, 10, 20], seed=0)
    assert list(drawn) == [10, 20, 50]
    for size, rows in drawn.items():
        assert size - 4 < rows.sum() <= size  # the next patient has four at most
        assert not set(PATIENTS[rows]) & set(PATIENTS[~rows])
    assert (drawn[10] <= drawn[20]).all()
    assert (drawn[20] <= drawn[50]).all()


def test_the_drawing_is_seeded_and_knows_no_order() -> None:
    first = draw_local(PATIENTS, [30], seed=0)[30]
    turned = draw_local(PATIENTS[::-1], [30], seed=0)[30]
    np.testing.assert_array_equal(first, turned[::-1])
    assert not np.array_equal(first, draw_local(PATIENTS, [30], seed=1)[30])


def test_the_test_keeps_half_of_the_cohort(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert list(draw_local(PATIENTS, [50, 51, 500], seed=0)) == [50]
    assert [record.getMessage() for record in caplog.records] == [
        f"{size} local records are not looked at: the cohort has 100" for size in (51, 500)
    ]
    alone = np.arange(60).astype(str)
    assert {size: rows.sum() for size, rows in draw_local(alone, [10, 30], seed=0).items()} == {10: 10, 30: 30}
    assert draw_local(np.array(["a"] * 9 + ["b"] * 9), [5], seed=0) == {}  # no patient fits


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    records = pd.DataFrame({"record_id": [f"s/{i}" for i in range(6)], "split": ["train", "valid", "test"] * 2})
    labels = records.iloc[[4, 1, 2, 0]].assign(source=["s", "t", "s", "s"])
    return labels.assign(**{"label.AF": np.float32([1, 0, 1, 0])}), records


def test_a_cohort_is_of_every_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = cohort_records(*tables(), ["AF", "MI"], None, tmp_path / "af.parquet")
    assert found["record_id"].tolist() == ["s/0", "s/1", "s/2", "s/4"]
    assert found["label.AF"].tolist() == [0, 0, 1, 1]
    assert found["label.MI"].isna().all()
    assert set(found["split"]) == {"test"}
    assert "the task has no label MI" in caplog.text
    assert len(cohort_records(*tables(), ["AF"], ["s"], tmp_path / "af.parquet")) == 3


def test_what_is_no_cohort(tmp_path: Path) -> None:
    labels, records = tables()
    for change, message in (
        ({"names": ["MI"]}, "has none of the labels that the model predicts: MI"),
        ({"sources": ["x"]}, "no record of x is in it"),
        ({"records": records[:2]}, "2 of its records are not in the manifest; make the labels again"),
    ):
        arguments = {"labels": labels, "records": records, "names": ["AF"], "sources": None} | change
        with pytest.raises(UserError, match=message):
            cohort_records(**arguments, where=tmp_path / "af.parquet")
