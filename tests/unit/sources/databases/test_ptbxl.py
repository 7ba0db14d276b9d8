"""PTB-XL's tables: values read off the genuine CSV by eye, and one clear line per broken one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.sources import open_source
from ecglfm.sources.base import write_index

HEADER = "ecg_id,patient_id,age,sex,nurse,report,scp_codes,strat_fold,filename_lr,filename_hr\n"
ROWS = [
    "10,7.0,300.0,0,1.0,a,\"{'IMI': 35.0, 'SR': 0}\",3,records100/00000/00010_lr,records500/00000/00010_hr\n",
    "9,,,1,,,\"{'NORM': 100.0}\",10,records100/00000/00009_lr,records500/00000/00009_hr\n",
]
STATEMENTS = (
    ",description,diagnostic,diagnostic_class,diagnostic_subclass\n"
    "NORM,,1.0,NORM,NORM\nIMI,,1.0,MI,IMI\nSR,,,,\nCLBBB,,1.0,CD,CLBBB\n"
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "ptbxl_database.csv").write_text(HEADER + "".join(ROWS))
    (tmp_path / "scp_statements.csv").write_text(STATEMENTS)
    return tmp_path


def index(root: Path, **config) -> pd.DataFrame:
    return open_source(SourceSlice(source="p", config=SourceConfig(kind="ptbxl", root=str(root), **config))).index()


def test_rows_of_a_small_table(database: Path):
    frame = index(database)
    assert frame.record_id.tolist() == ["p/9", "p/10"]  # by number, not by letter
    assert frame.patient_id.tolist() == ["p/9", "p/7"]  # 9 has no patient, so it is its own
    assert frame.sex.tolist() == ["female", "male"]
    assert np.isnan(frame.age[0])
    assert frame.age[1] == 90.0  # PTB-XL writes 300 for above 89
    assert frame.fold.tolist() == [10, 3]
    assert frame.path.tolist() == ["records500/00000/00009_hr", "records500/00000/00010_hr"]
    assert frame.codes[1] == [{"code": "IMI", "likelihood": 35.0}, {"code": "SR", "likelihood": 0.0}]
    assert frame["native.scp_class"].tolist() == [["NORM"], ["MI", ""]]  # of NORM; of IMI and SR
    assert frame["native.scp_subclass"].tolist() == [["NORM"], ["IMI", ""]]
    assert frame.report.tolist() == ["", "a"]
    assert frame["native.nurse"][1] == "1.0"
    assert pd.isna(frame["native.nurse"][0])


def test_rate_100_chooses_the_low_resolution_files(database: Path):
    assert index(database, rate=100).path[0] == "records100/00000/00009_lr"


def test_genuine_table(real_data: Path):
    frame = index(real_data / "ptb-xl")
    assert len(frame) == 300
    assert frame.patient_id.nunique() == 275
    first = frame.iloc[0]
    assert (first.record_id, first.patient_id, first.age, first.sex, first.fold) == (
        "p/1",
        "p/15709",
        56.0,
        "female",
        3,
    )
    assert first.report == "sinusrhythmus periphere niederspannung"
    assert first["native.scp_class"] == ["NORM", "", ""]  # NORM, LVOLT, SR
    assert frame.age.max() == 90.0
    assert [c.removeprefix("native.") for c in frame.columns if c.startswith("native.")] == [
        *pd.read_csv(real_data / "ptb-xl" / "ptbxl_database.csv", nrows=0).columns, "scp_class", "scp_subclass"
    ]  # fmt: skip
    source = open_source(SourceSlice(source="p", config=SourceConfig(kind="ptbxl", root=str(real_data / "ptb-xl"))))
    record = source.read(first.path)
    assert record.leads == LEADS  # the file writes AVR
    np.testing.assert_allclose(record.signal[0, :3], [-0.115, -0.050, 0.065])  # first column of 00001_hr.hea


def test_parquet_keeps_the_nested_types(database: Path, tmp_path: Path):
    write_index(tmp_path / "i.parquet", [index(database)])
    schema = pq.read_schema(tmp_path / "i.parquet")
    assert str(schema.field("codes").type) == "list<element: struct<code: string, likelihood: double>>"
    again = pd.read_parquet(tmp_path / "i.parquet")
    assert list(again.codes[1]) == [{"code": "IMI", "likelihood": 35.0}, {"code": "SR", "likelihood": 0.0}]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ptbxl_database.csv", "scp_codes", "scp_code", r"ptbxl_database\.csv: column 'scp_codes' is missing"),
        ("ptbxl_database.csv", "strat_fold", "fold", r"ptbxl_database\.csv: column 'strat_fold' is missing"),
        ("scp_statements.csv", "diagnostic_class", "class", r"scp_statements\.csv: column 'diagnostic_class' is missing"),
        ("ptbxl_database.csv", "{'NORM': 100.0}", "{'NORM': 100.0", r"row 3: scp_codes"),
        ("ptbxl_database.csv", "{'NORM': 100.0}", "__import__('os').getcwd()", r"row 3: scp_codes"),
        ("ptbxl_database.csv", "{'NORM': 100.0}", "['NORM']", r"row 3: scp_codes"),
        ("ptbxl_database.csv", "{'NORM': 100.0}", "{'NORM': True}", r"row 3: scp_codes"),
        ("ptbxl_database.csv", "{'NORM': 100.0}", "(" * 5000, r"row 3: scp_codes"),
        ("ptbxl_database.csv", "{'NORM': 100.0}", "", r"row 3: scp_codes"),
        ("ptbxl_database.csv", ROWS[1], "\n" + ROWS[1].replace("NORM", "'"), r"row 4: scp_codes"),
        ("ptbxl_database.csv", "".join(ROWS), "", r"ptbxl_database\.csv: holds no recording"),
        ("ptbxl_database.csv", "10,7.0,300.0", "10,7.0,old", r"row 2: age must be an age in years, found 'old'"),
        ("ptbxl_database.csv", "10,7.0,300.0", "10,7.0,-1", r"row 2: age must be an age in years, found '-1'"),
        ("ptbxl_database.csv", "10,7.0,300.0", "10,7.0,400", r"row 2: age must be an age in years, found '400'"),
        ("ptbxl_database.csv", "10,7.0,300.0,0", "10,7.0,300.0,2", r"row 2: sex must be 0 or 1, found '2'"),
        ("ptbxl_database.csv", "10,7.0,300.0", "1e30,7.0,50", r"row 2: ecg_id must be from 0 to .*, found '1e30'"),
        ("ptbxl_database.csv", "10,7.0,300.0", "10,-3,50", r"row 2: patient_id must be from 0 to .*, found '-3'"),

        ("ptbxl_database.csv", "10,7.0,300.0", "10,7.5,50", r"row 2: patient_id must be a whole number"),
        ("ptbxl_database.csv", "10,7.0,300.0", ",7.0,50", r"row 2: ecg_id must be a whole number"),
        ("ptbxl_database.csv", "10,7.0,300.0", "9,7.0,50", r"9 stands twice"),
        ("ptbxl_database.csv", "records500/00000/00009_hr", "", r"row 3: filename_hr is empty"),
        ("ptbxl_database.csv", HEADER + "".join(ROWS), "", r"ptbxl_database\.csv: not a readable CSV"),
    ],
)  # fmt: skip
def test_broken_table_is_one_clear_line(database: Path, file: str, old: str, new: str, message: str):
    text = (database / file).read_text()
    assert old in text
    (database / file).write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message) as error:
        index(database)
    assert len(str(error.value).splitlines()) == 1


def test_missing_table_and_missing_root(database: Path):
    (database / "scp_statements.csv").unlink()
    with pytest.raises(UserError, match=r"scp_statements\.csv: no such file"):
        index(database)
    shutil.rmtree(database)
    with pytest.raises(UserError, match=r"root .* is not a folder; set `root` in config/sources/p\.yaml or `roots"):
        index(database)
