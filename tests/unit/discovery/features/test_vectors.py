"""Which recording stands for a person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import FeaturesConfig, UserError
from ecglfm.discovery.features.vectors import read_people, read_table
from ecglfm.evaluation.serial import recording_days
from tests.unit.discovery.features.cohort import Cohort, write_cohort


def people_of(cohort: Cohort, **chosen: object) -> pd.DataFrame:
    config = FeaturesConfig.model_validate(chosen)
    days = recording_days({path.stem: path for path in cohort.index}, {"a": "when", "b": "when"})
    table, _ = read_people(config, pd.read_parquet(cohort.manifest), cohort.vectors, days)
    return table.set_index("patient_id")


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_first_is_the_earliest_by_its_date(tmp_path: Path, shuffled: bool):
    """The recordings of source a have dates against the order of their ids."""
    cohort = write_cohort(tmp_path, shuffled=shuffled)
    people = people_of(cohort)
    assert len(people) == 40
    assert people["record_id"]["a/7"] == "a/7_1"
    assert people["recordings"].loc[["a/7", "b/3"]].tolist() == [2, 1]
    np.testing.assert_array_equal(people.loc["a/7", list(cohort.x)].astype(float), cohort.x.loc["a/7_1"].astype(float))
    assert list(people.index) == sorted(people.index)


def test_the_mean_is_of_all(tmp_path: Path):
    cohort = write_cohort(tmp_path)
    people = people_of(cohort, record="mean")
    expected = cohort.x.loc[["a/7_0", "a/7_1"]].astype(float).mean()
    np.testing.assert_allclose(people.loc["a/7", list(cohort.x)].astype(float), expected, rtol=1e-12)


def test_the_nearest_to_a_date(tmp_path: Path):
    """Of person 7, recorded on 1989-01-08 and 1990-01-08; person 8 is nearer to the other one, b/3 has no date."""
    cohort = write_cohort(tmp_path)
    dates = tmp_path / "dates.csv"
    dates.write_text("patient_id,date\na/7,1989-12-01\na/8,1989-02-01\nz/1,1990-01-01\n")
    people = people_of(cohort, record="nearest", baseline=str(dates))
    assert people["record_id"].to_dict() == {"a/7": "a/7_0", "a/8": "a/8_1"}
    dates.write_text("patient_id,date\na/7,1989-12-01\na/7,1989-02-01\n")
    with pytest.raises(UserError, match="a/7 stands twice"):
        people_of(cohort, record="nearest", baseline=str(dates))


def test_whom_the_config_leaves_out(tmp_path: Path):
    cohort = write_cohort(tmp_path)
    assert set(people_of(cohort, sources=["b"])["source"]) == {"b"}
    with pytest.raises(UserError, match="nobody is left"):
        people_of(cohort, splits=["test"])


def test_a_recording_without_a_vector_is_named(tmp_path: Path):
    cohort = write_cohort(tmp_path)
    pd.read_parquet(cohort.vectors[1]).iloc[1:].to_parquet(cohort.vectors[1])
    with pytest.raises(UserError, match=r"no vector of b/0_0 \(1 recording "):
        people_of(cohort)


def test_tables_of_the_users_own(tmp_path: Path):
    path = tmp_path / "t.tsv"
    path.write_text("IID\tbatch\n007\t1\n")
    assert read_table(path, "IID")["IID"].tolist() == ["007"]
    with pytest.raises(UserError, match="no column 'array'; it has IID, batch"):
        read_table(path, "array")
    path.write_text("IID,batch\n007,1\n")
    with pytest.raises(UserError, match=r"no column 'IID'; it has IID,batch; \*.csv has commas, others tabs"):
        read_table(path, "IID")
    with pytest.raises(UserError, match="no such file"):
        read_table(tmp_path / "none.csv")
    path.write_text("")
    with pytest.raises(UserError, match="not a table"):
        read_table(path)
