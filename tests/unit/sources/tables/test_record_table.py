"""Tables that a person made: names of columns, patients, ages, sexes and the order of records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import SourceConfig, SourceSlice, UserError
from ecglfm.sources import open_source
from ecglfm.sources.base import write_index
from ecglfm.sources.tables.record_table import parse_age, parse_sex
from ecglfm.sources.tables.reorder import natural_key


def index_of(root: Path, text: str, kind: str = "wfdb_folder", **config: object) -> pd.DataFrame:
    (root / "t.csv").write_text(text)
    config = {"table": "t.csv", **config}
    return open_source(SourceSlice(source="t", config=SourceConfig(kind=kind, root=str(root), **config))).index()


@pytest.mark.parametrize("header", ["path,Patient_ID", "path,patient id", "PatientId,path", "path,PATIENT-ID,label"])
def test_a_patient_column_under_nearly_our_name_is_not_passed_over(tmp_path: Path, header: str):
    near = next(name for name in header.split(",") if name.lower().startswith("patient"))
    text = f"{header}\n" + ",".join(["b"] * len(header.split(","))) + "\n"
    with pytest.raises(
        UserError, match=rf"t\.csv: is column '{near}' our patient_id\?.*columns: {{patient_id: {near}}}"
    ):
        index_of(tmp_path, text)
    assert index_of(tmp_path, text, columns={"patient_id": near}).patient_id.tolist() == ["t/b"]


def test_spaces_around_names_of_columns(tmp_path: Path):
    frame = index_of(tmp_path, "path, patient_id , age\nb, 7, 61\nc, 7, \n")
    assert frame.patient_id.tolist() == ["t/7", "t/7"]
    assert frame.age.fillna(-1).tolist() == [61, -1]
    assert frame["native.patient_id"].tolist() == [" 7", " 7"]  # text as the file has it


def test_our_own_name_beside_a_near_one(tmp_path: Path):
    frame = index_of(tmp_path, "path,patient_id,Patient ID\nb,7,x\n")
    assert frame.patient_id.tolist() == ["t/7"]


@pytest.mark.parametrize("kind", ["wfdb_folder", "numpy_folder", "muse_xml"])
def test_a_table_without_patients_is_said(tmp_path: Path, kind: str):
    more = {"sampling_rate": 500, "file_leads": ["I"]} if kind == "numpy_folder" else {}
    assert index_of(tmp_path, "path,subject\nb,7\nc,7\n", kind, **more).patient_id.tolist() == ["t/b", "t/c"]
    for text, unknown in (("path,subject\nb,7\nc,7\n", 2), ("path,patient_id\nb,7\nc,\n", 1)):
        (tmp_path / "t.csv").write_text(text)
        config = SourceConfig(kind=kind, root=str(tmp_path), table="t.csv", **more)
        pieces = open_source(SourceSlice(source="t", config=config)).pieces()
        assert write_index(tmp_path / "t.parquet", pieces) == (2, 2, unknown)


@pytest.mark.parametrize("kind", ["wfdb_folder", "numpy_folder", "muse_xml"])
def test_a_table_without_rows_is_refused(tmp_path: Path, kind: str):
    more = {"sampling_rate": 500, "file_leads": ["I"]} if kind == "numpy_folder" else {}
    with pytest.raises(UserError, match=r"t\.csv: holds no recording"):
        index_of(tmp_path, "path,patient_id\n", kind, **more)


@pytest.mark.parametrize(
    ("text", "age"),
    [("64", 64), (" 64.5\n", 64.5), (">89", 90), ("> 89", 90), ("300", 90), ("0", 0), ("nan", None), ("", None)],
)
def test_ages(text: str, age: float | None):
    found = parse_age(text)
    assert (None if np.isnan(found) else found) == age


@pytest.mark.parametrize("text", ["-1", "1e2", "inf", "126", "9999", "64 years", "1_0", "٦٤"])
def test_what_is_no_age(text: str):
    with pytest.raises(ValueError, match="is no age"):
        parse_age(text)


def test_sexes():
    assert [parse_sex(text) for text in ("M", "male", " F\n", "FEMALE", "Unknown", "")] == [
        "male", "male", "female", "female", None, None
    ]  # fmt: skip
    with pytest.raises(ValueError, match="neither male nor female"):
        parse_sex("1")


def test_natural_order():
    digits = "9" * 5000  # too long for a Python int
    names = ["b/1", "a10/2", "a2/10", "a2/9", "a", "7", "007", digits]
    assert sorted(names, key=natural_key) == ["007", "7", digits, "a", "a2/9", "a2/10", "a10/2", "b/1"]
