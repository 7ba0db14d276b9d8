"""Samples of genotype files, and whose they are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.features.samples import read_ids, read_samples, sample_of


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.fam", "F1 1 0 0 1 -9\nF2\t2\t0\t0\t2\t-9\n"),
        ("a.psam", "#FID\tIID\tSEX\nF1\t1\t1\nF2\t2\t2\n"),
        ("a.sample", "ID_1 ID_2 missing sex\n0 0 0 D\nF1 1 0 1\nF2 2 0 2\n"),
    ],
)
def test_each_form_says_who_is_in_it(tmp_path: Path, name: str, text: str):
    assert read_samples([write(tmp_path / name, text)]).to_dict() == {"1": "F1", "2": "F2"}


def test_a_psam_without_families(tmp_path: Path):
    text = "##note\n#IID\tSEX\n1\t1\n2\t2\n"
    assert read_samples([write(tmp_path / "a.psam", text)]).to_dict() == {"1": "0", "2": "0"}


def test_who_is_not_in_all_files_is_in_none(tmp_path: Path):
    paths = [
        write(tmp_path / "1.fam", "0 a 0 0 0 0\n0 b 0 0 0 0\n"),
        write(tmp_path / "2.fam", "0 c 0 0 0 0\n0 b 0 0 0 0\n"),
    ]
    assert list(read_samples(paths).index) == ["b"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.fam", "0 a 0 0 0 0\n0 a 0 0 0 0\n", "the IID a stands twice"),
        ("a.fam", "", "empty"),
        ("a.fam", "a\nb\n", "no list of samples"),
        ("a.sample", "FID IID\na a\n", "where a .sample has ID_1 ID_2 missing"),
    ],
)
def test_what_is_no_list_of_samples(tmp_path: Path, name: str, text: str, says: str):
    with pytest.raises(UserError, match=says):
        read_samples([write(tmp_path / name, text)])
    with pytest.raises(UserError, match="no such file"):
        read_samples([tmp_path / "none.fam"])


def test_lists_of_ids(tmp_path: Path):
    assert read_ids(write(tmp_path / "one.txt", "1000001\n1000002\n")) == {"1000001", "1000002"}
    assert read_ids(write(tmp_path / "two.txt", "#FID IID\n0 7\n0 8\n")) == {"7", "8"}
    assert read_ids(write(tmp_path / "w.csv", "1000003\n")) == {"1000003"}


def test_whose_sample_it_is():
    patients = pd.Series(["a/1", "b/2", "b/3"])

    def known(*ids: str) -> pd.Series:
        return pd.Series("0", index=list(ids))

    assert sample_of(patients, known("b/2", "x"), None).tolist() == ["a/1", "b/2", "b/3"]
    assert sample_of(patients, known("2", "x"), None).tolist() == ["1", "2", "3"]
    ids = pd.DataFrame({"patient_id": ["b/3", "a/1"], "IID": ["S3", "S1"]})
    assert sample_of(patients, known("S1"), ids).fillna("none").tolist() == ["S1", "none", "S3"]
    with pytest.raises(UserError, match="a/1 and b/1 have the number of one sample"):
        sample_of(pd.Series(["a/1", "b/1"]), known("1"), None)
    with pytest.raises(UserError, match="IID S1 stands twice"):
        sample_of(patients, known("S1"), ids.assign(IID="S1"))
