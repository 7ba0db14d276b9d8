"""Recordings are found by their ids, and people and features joined by theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, UserError
from ecglfm.discovery.recordings import Recordings, age_and_sex, read_features, write_tables
from tests.unit.discovery.recorded_people import SECONDS, write_study


def test_a_record_is_the_one_asked_for(tmp_path: Path):
    study = write_study(tmp_path, shuffled=True)
    read = Recordings(study.manifest, study.signals, ["b/11", "a/0", "b/3"])
    n = SECONDS * 500
    for name, place in (("a/0", 0), ("b/3", 3), ("b/11", 11)):
        whole = np.load(study.signals / name[0] / "000.npy")
        assert np.array_equal(read(name), whole[place * n : (place + 1) * n])
    assert read.leads("a/0") == list(LEADS)
    assert read.sampling_rate("b/3") == 500


def test_hum_is_told_where_it_is_strong(tmp_path: Path):
    study = write_study(tmp_path)
    table = pd.read_parquet(study.manifest)
    table.loc[table["record_id"] == "a/1", ["mains_noise", "mains_frequency"]] = [40.0, 60.0]
    table.to_parquet(study.manifest)
    read = Recordings(study.manifest, study.signals, ["a/0", "a/1"])
    assert (read.mains("a/0"), read.mains("a/1")) == (None, 60.0)


def test_a_record_that_is_not_there_is_named(tmp_path: Path):
    study = write_study(tmp_path)
    with pytest.raises(UserError, match="no record a/99"):
        Recordings(study.manifest, study.signals, ["a/0", "a/99"])


def test_features_are_joined_by_id(tmp_path: Path):
    (people, edf), (others, same) = (
        read_features(write_study(tmp_path / str(shuffled), shuffled=shuffled).features) for shuffled in (False, True)
    )
    pd.testing.assert_frame_equal(people, others)
    pd.testing.assert_frame_equal(edf, same)
    assert people["patient_id"].is_monotonic_increasing
    covariates = age_and_sex(people)
    assert covariates["sex"].tolist() == [float(sex == "male") for sex in people["sex"]]
    assert covariates["age"].isna().sum() == 1


def test_tables_are_written_twice_with_the_same_rows(tmp_path: Path):
    table = pd.DataFrame({"edf": ["a", "b"], "p_value": [1e-300, np.nan]})
    write_tables(tmp_path, "x", table)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "x.parquet"), table)
    assert (tmp_path / "x.tsv").read_text() == "edf\tp_value\na\t1e-300\nb\tNA\n"


def test_a_p_of_zero_is_words_in_the_text_and_stays_a_number_beside_it(tmp_path: Path) -> None:
    table = pd.DataFrame({"beta": [50.0], "standard_error": [1.0], "p_value": [0.0]})
    write_tables(tmp_path, "phewas", table)
    assert (tmp_path / "phewas.tsv").read_text().splitlines()[1] == "50\t1\t2.16120e-545"
    assert pd.read_parquet(tmp_path / "phewas.parquet")["p_value"].tolist() == [0.0]
