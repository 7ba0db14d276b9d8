"""MIMIC-IV-ECG's tables, genuine rows and broken ones."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.records import RecordError
from ecglfm.sources import open_source
from ecglfm.sources.base import Source, write_index
from ecglfm.sources.databases.mimic_iv_ecg import join_report
from ecglfm.sources.tables import reorder
from ecglfm.sources.wfdb_reader.files import write_record


def source(root: Path) -> Source:
    return open_source(SourceSlice(source="m", config=SourceConfig(kind="mimic_iv_ecg", root=str(root))))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "record_list.csv").write_text(
        "subject_id,study_id,file_name,ecg_time,path\n"
        "2,11,11,2180-01-01 00:00:00,files/p2/s11/11\n"
        "2,9,9,2181-01-01 00:00:00,files/p2/s9/9\n"
        "3,10,10,2182-01-01 00:00:00,files/p3/s10/10\n"
    )
    (tmp_path / "machine_measurements.csv").write_text(
        "subject_id,study_id,report_0,report_1,report_2,report_10,rr_interval\n3,10,A,,C,Z,659\n2,9,B,,,,\n"
    )
    return tmp_path


def test_rows_of_a_small_table(database: Path):
    frame = source(database).index()
    assert frame.record_id.tolist() == ["m/9", "m/10", "m/11"]
    assert frame.patient_id.tolist() == ["m/2", "m/3", "m/2"]
    assert frame.report.tolist() == ["B", "A; C; Z", ""]  # empty lines left out; 11 has no measurements
    assert frame["native.rr_interval"].fillna("-").tolist() == ["-", "659", "-"]
    assert frame.path.tolist() == ["files/p2/s9/9", "files/p3/s10/10", "files/p2/s11/11"]
    assert frame.age.isna().all()
    assert frame.sex.isna().all()
    assert frame.fold.isna().all()


def test_pieces_of_any_size_give_the_same_index(database: Path, monkeypatch: pytest.MonkeyPatch):
    with (database / "machine_measurements.csv").open("a") as file:
        file.write("4,77,A,,,,\n")  # of no study
    whole = source(database).index()
    monkeypatch.setattr(reorder, "ROWS_TOGETHER", 1)
    monkeypatch.setattr(reorder, "_RUN", 100)
    assert len(list(source(database).pieces())) == 3  # 9 with its measurements, 10 with its own, 11 without
    pd.testing.assert_frame_equal(source(database).index(), whole)


def test_measurements_of_no_study_are_counted(database: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        source(database).index()
    assert not caplog.text
    with (database / "machine_measurements.csv").open("a") as file:
        file.write("4,77,A,,,,\n4,78,A,,,,\n")
    with caplog.at_level(logging.WARNING):
        assert source(database).index().record_id.tolist() == ["m/9", "m/10", "m/11"]
    assert (
        "machine_measurements.csv: 2 studies are not in record_list.csv and are not used, the first: 77" in caplog.text
    )


def test_index_of_empty_lists_has_typed_columns(database: Path, tmp_path: Path):
    write_index(tmp_path / "i.parquet", source(database).pieces())
    schema = pq.read_schema(tmp_path / "i.parquet")
    assert str(schema.field("codes").type) == "list<element: struct<code: string, likelihood: double>>"
    assert str(schema.field("fold").type) == "int64"


def test_genuine_rows(real_data: Path):
    adapter = source(real_data / "mimic-iv-ecg")
    row = adapter.index().iloc[0]
    assert (row.record_id, row.patient_id) == ("m/40689238", "m/10000032")
    assert row.report == "Sinus rhythm; Possible right atrial abnormality; Borderline ECG"
    with pytest.raises(RecordError) as error:
        adapter.read(row.path)
    assert error.value.reason == "signal_missing"  # the genuine header is here, the waveform is not


def test_leads_are_found_by_name(tmp_path: Path, database: Path):
    """aVF stands before aVL: a reader by position would swap them."""
    names = ["I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"]
    folder = database / "files/p2/s9"
    folder.mkdir(parents=True)
    digital = np.tile(np.arange(12, dtype=np.int16) * 10, (500, 1))
    write_record(folder, "9", digital, leads=names, gain=200.0, sampling_rate=500, start="08:44:00 23/07/2180")
    record = source(database).read("files/p2/s9/9").standard()
    value = dict(zip(LEADS, record.signal[0], strict=True))
    assert value["aVF"] == pytest.approx(0.2)  # 40 / 200
    assert value["aVL"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("record_list.csv", "path", "location", r"record_list\.csv: column 'path' is missing"),
        ("machine_measurements.csv", "report_0", "report", r"machine_measurements\.csv: column 'report_0' is missing"),
        (
            "record_list.csv",
            "2,11,",
            "2,x11,",
            r"record_list\.csv: row 2: study_id must be a whole number, found 'x11'",
        ),
        ("record_list.csv", "files/p2/s11/11", "", r"row 2: path is empty"),
        ("record_list.csv", "2,11,", "2,9,", r"9 stands twice"),
        ("machine_measurements.csv", "3,10,", "3,9,", r"machine_measurements\.csv: study_id 9 stands twice"),
    ],
)
def test_broken_table_is_one_clear_line(database: Path, file: str, old: str, new: str, message: str):
    text = (database / file).read_text()
    assert old in text
    (database / file).write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        source(database).index()


def test_report_lines_are_joined_and_empty_ones_left_out():
    table = pd.DataFrame({f"report_{k}": ["text", None] for k in range(18)}, dtype="str")
    assert join_report(table).tolist() == ["; ".join(["text"] * 18), ""]
