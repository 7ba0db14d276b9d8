"""HEEDB's tables and files, as others describe them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.records import RecordError
from ecglfm.sources import open_source
from ecglfm.sources.base import Source, write_index
from ecglfm.sources.databases import heedb
from ecglfm.sources.tables import reorder
from tests.unit.sources import heedb_database as written
from tests.unit.sources.ingested import ingested

METADATA = {
    "I0001": "BDSPPatientID,FileName,FileID,PatientRace,SexDSC,AgeAtAcquisition\n"
    "114877230,/S0004/2019/02/de_b,de_b,White,Female,21570.0\n"
    "112062478,/S0001/1988/04/de_a,de_a,,Male,\n"
    "114877230,/S0001/1988/04/de_c,de_c,White,Female,365.2425\n",
    "I0006": "BDSPPatientID,FileName,FileID,PatientRace,Sex,AgeAtAcquisition\n"
    "179020000.0,WFDB/2010/MUSE_1,MUSE_1,Other,Female,-3\n"
    ",WFDB/2013/MUSE_2,MUSE_2,Other,,10000\n"
    ",,MUSE_3,Other,Unspecifiable,10000\n",
}
ACQUISITION = {
    "I0001": 'FileName,codes_software,codes_physician,jaccard_index\n/S0001/1988/04/de_a,"22, 1699",,0.0\n'
    '/S0004/2019/02/de_b,"161,1699",161,0.5\n',
    "I0006": "FileName,codes_software,codes_physician,jaccard_index\nWFDB/2010/MUSE_1,22,22,1.0\n"
    "WFDB/2010/MUSE_9,22,22,1.0\n",
}
V24 = {
    "I0001": 'FileName,codes\n"./S0001/1988/04/de_a.hea\n","19, 177"\n"./S0001/1988/04/de_c.hea\n",\n',
    "I0006": "FileName,codes\nWFDB/2013/MUSE_2,22\n,22\n",
}


def source(root: Path, **options: object) -> Source:
    config = SourceConfig.model_validate({"kind": "heedb", "root": str(root), **options})
    return open_source(SourceSlice(source="h", config=config))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    for place in METADATA:
        for folder in ("metadata", "12SL_diagnoses"):
            (tmp_path / place / folder).mkdir(parents=True)
        (tmp_path / place / "metadata/metadata.csv").write_text(METADATA[place])
        (tmp_path / place / "12SL_diagnoses/diagnoses_acquisition.csv").write_text(ACQUISITION[place])
        (tmp_path / place / "12SL_diagnoses/diagnoses_v24.csv").write_text(V24[place])
    return tmp_path


def test_rows_of_both_institutions(database: Path) -> None:
    frame = source(database).index()
    names = ["I0001/S0001/1988/04/de_a", "I0001/S0001/1988/04/de_c", "I0001/S0004/2019/02/de_b"]
    names += ["I0006/2010/MUSE_1", "I0006/2013/MUSE_2", "I0006/row-4"]
    assert frame["record_id"].tolist() == [f"h/{name}" for name in names]
    assert frame["path"].tolist() == [f"{name[:6]}WFDB/{name[6:]}" for name in names]
    assert frame["patient_id"].tolist() == [
        "h/I0001/112062478", "h/I0001/114877230", "h/I0001/114877230", "h/I0006/179020000",
        "h/I0006/2013/MUSE_2", "h/I0006/row-4",  # of nobody stated: their own
    ]  # fmt: skip
    np.testing.assert_allclose(frame["age"], [np.nan, 1, 21570 / 365.2425, np.nan, 27.37906, 27.37906], rtol=1e-6)
    assert frame["sex"].fillna("-").tolist() == ["male", "female", "female", "female", "-", "-"]
    assert frame["native.year"].fillna(0).tolist() == [1988, 1988, 2019, 2010, 2013, 0]
    assert frame["native.institution"].tolist() == ["I0001"] * 3 + ["I0006"] * 3
    assert frame["native.SexDSC"].fillna("-").tolist() == ["Male", "Female", "Female", "-", "-", "-"]
    assert frame["native.Sex"].fillna("-").tolist() == ["-"] * 3 + ["Female", "-", "Unspecifiable"]


def test_no_row_of_statements_is_not_an_empty_one(database: Path) -> None:
    frame = source(database).index()
    said = {name: frame[f"native.codes_{name}"].fillna("no row").tolist() for name in ("software", "physician", "v24")}
    assert said == {
        "software": ["22, 1699", "no row", "161,1699", "22", "no row", "no row"],
        "physician": ["", "no row", "161", "22", "no row", "no row"],
        "v24": ["19, 177", "", "no row", "no row", "22", "no row"],
    }
    assert frame["native.jaccard_index"].fillna("-").tolist() == ["0.0", "-", "0.5", "1.0", "-", "-"]


def test_what_is_odd_is_counted(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        source(database).index()
    said = [record.getMessage().partition("I0006/")[2] for record in caplog.records]
    assert sorted(said) == [
        "12SL_diagnoses/diagnoses_acquisition.csv: 1 row of no recording, the first: 2010/MUSE_9",
        "12SL_diagnoses/diagnoses_v24.csv: 1 row without a file name, the first: 3",
        "metadata/metadata.csv: 1 row of another Sex than male and female, the first: Unspecifiable",
        "metadata/metadata.csv: 1 row with no age in days in AgeAtAcquisition, the first: -3.0",
        "metadata/metadata.csv: 1 row without a file name, the first: row-4",
    ]


@pytest.mark.parametrize("place", ["I0001", "I0006"])
def test_one_institution_alone(database: Path, place: str) -> None:
    other = {"I0001": "I0006", "I0006": "I0001"}[place]
    (database / other).rename(database / "elsewhere")
    one = source(database, institutions=[place])
    assert [path.relative_to(database).parts[0] for path in one.tables()] == [place] * 3
    assert set(one.index()["native.institution"]) == {place}


def test_pieces_of_any_size_give_the_same_index(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = source(database).index()
    assert write_index(tmp_path / "h.parquet", source(database).pieces()) == (6, 5, 2)
    written_ = pd.read_parquet(tmp_path / "h.parquet")
    assert written_["native.codes_v24"].fillna("no row").tolist()[:3] == ["19, 177", "", "no row"]
    monkeypatch.setattr(reorder, "ROWS_TOGETHER", 1)
    monkeypatch.setattr(heedb, "_RUN", 100)
    pd.testing.assert_frame_equal(source(database).index(), whole)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("metadata/metadata.csv", "AgeAtAcquisition", "Age", "column 'AgeAtAcquisition' is missing"),
        ("metadata/metadata.csv", "SexDSC", "Gender", "column 'SexDSC' or 'Sex' is missing"),
        ("metadata/metadata.csv", "114877230,/S0001", "114.5,/S0001", "row 4: BDSPPatientID must be a whole number"),
        ("metadata/metadata.csv", "21570.0", "old", "row 2: AgeAtAcquisition must be a number, found 'old'"),
        ("metadata/metadata.csv", "04/de_c,", "04/de_a,", "S0001/1988/04/de_a stands twice"),
        ("12SL_diagnoses/diagnoses_v24.csv", "FileName", "File", "column 'FileName' is missing"),
        ("12SL_diagnoses/diagnoses_v24.csv", "de_c.hea\n", "de_a", "FileName S0001/1988/04/de_a stands twice"),
        ("12SL_diagnoses/diagnoses_acquisition.csv", "codes_physician", "codes", "'codes_physician' is missing"),
    ],
)
def test_a_broken_table_is_one_clear_line(database: Path, file: str, old: str, new: str, message: str) -> None:
    path = database / "I0001" / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=message) as error:
        source(database).index()
    assert str(path) in str(error.value)


def test_tables_of_a_header_alone(database: Path) -> None:
    for path in source(database).tables():
        header = path.read_text().partition("\n")[0]
        if "metadata" not in str(path) or "I0006" in str(path):
            path.write_text(header + "\n")
    with pytest.raises(UserError, match=r"I0006/metadata/metadata\.csv: holds no recording"):
        source(database).index()
    frame = source(database, institutions=["I0001"]).index()
    assert len(frame) == 3
    assert frame[["native.codes_v24", "native.codes_physician"]].isna().all(axis=None)


def test_signals_of_both_kinds_of_file_are_read_by_the_names_of_their_leads(tmp_path: Path) -> None:
    digital = np.tile(np.arange(12, dtype=np.int16) * 10, (500, 1))
    written.write_mat(tmp_path / "I0001/WFDB/S0001/1988/04", "de_a", digital, 250)
    written.write_dat(tmp_path / "I0006/WFDB/2010", "MUSE_1", digital, 500)
    for path, rate in (("I0001/WFDB/S0001/1988/04/de_a", 250), ("I0006/WFDB/2010/MUSE_1", 500)):
        record = source(tmp_path).read(path).standard()
        value = dict(zip(LEADS, record.signal[0], strict=True))
        assert (record.sampling_rate, len(record.signal)) == (rate, 500)
        assert (value["aVF"], value["aVL"], value["aVR"], value["V1"]) == (0.09, 0.10, 0.11, 0.03)


def test_pseudonyms_of_patients_stay_as_written(database: Path) -> None:
    path = database / "I0001/metadata/metadata.csv"
    path.write_text(path.read_text().replace("112062478,", "p0a1b2c3, ").replace("\n114877230,", "\n 114877230.0 ,"))
    patients = source(database).index()["patient_id"].tolist()
    assert patients[:3] == ["h/I0001/p0a1b2c3", "h/I0001/114877230", "h/I0001/114877230"]


@pytest.mark.parametrize("other", ["9", "p0a1b2c3"])
def test_a_patient_does_not_depend_on_who_else_is_in_the_table(database: Path, other: str) -> None:
    """Whoever else: a table of millions is read in pieces, and ids of both forms may stand in one of them alone."""
    rows = "".join(f"{i},/S1/2000/{n},x,,Male,9000\n" for n, i in enumerate(["007", "7.0", "nan", "-1", other]))
    (database / "I0001/metadata/metadata.csv").write_text(METADATA["I0001"].partition("\n")[0] + "\n" + rows)
    patients = source(database, institutions=["I0001"]).index()["patient_id"].tolist()
    assert patients == ["h/I0001/7", "h/I0001/7", "h/I0001/S1/2000/2", "h/I0001/S1/2000/3", f"h/I0001/{other}"]


@pytest.mark.parametrize("path", ["I0006/WFDB/row-4", "I0001/WFDB/S0001/../../../etc/x"])
def test_a_row_without_a_file_of_its_own_is_a_reason_of_the_ledger(database: Path, path: str) -> None:
    with pytest.raises(RecordError) as error:
        source(database).read(path)
    assert error.value.reason in {"header_missing", "path_outside_root"}


def test_every_row_is_a_recording_or_a_row_of_the_ledger(tmp_path: Path) -> None:
    facts = written.facts(24)
    written.write_heedb(tmp_path, 24, seconds=2)
    config = SourceConfig.model_validate({"kind": "heedb", "root": str(tmp_path)})
    signals, dropped = ingested(SourceSlice(source="heedb", config=config), tmp_path / "results")
    bad = f"heedb/I0006/{written.BAD}"
    assert dict(zip(dropped["record_id"], dropped["reason"], strict=True)) == {bad: "header_invalid"}
    assert sorted([bad, *signals]) == sorted(fact.record_id for fact in facts)
    index = pd.read_parquet(tmp_path / "results/heedb.parquet").set_index("record_id")
    assert len({fact.patient for fact in facts}) == 11 + 1  # eleven, and one that nobody states
    for fact in facts:
        row = index.loc[fact.record_id]
        assert (row["patient_id"], row["native.year"]) == (fact.patient or fact.record_id, fact.year)
        numbers = None if fact.statements is None else ", ".join(map(str, fact.statements))
        for name in ("software", "physician", "v24"):
            said = row[f"native.codes_{name}"]
            assert (None if pd.isna(said) else said) == numbers
