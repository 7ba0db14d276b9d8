"""LUDB: values read off the genuine table and headers by eye, samples by wfdb."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecglfm.config import LEADS, Selector, SourceConfig, SourceSlice, UserError
from ecglfm.data.ingest import run_ingest
from ecglfm.data.labels.selectors import select
from ecglfm.sources import open_source
from ecglfm.sources.base import write_index


def config_of(root: Path) -> SourceSlice:
    return SourceSlice(source="l", config=SourceConfig(kind="ludb", root=str(root)))


def test_genuine_table(real_data: Path):
    frame = open_source(config_of(real_data / "ludb")).index()
    assert frame.record_id.tolist() == [f"l/{k}" for k in range(1, 201)]
    assert frame.patient_id.tolist() == frame.record_id.tolist()
    first = frame.iloc[0]
    assert (first.path, first.age, first.sex) == ("data/1", 51.0, "female")
    assert first.report == (
        "Sinus bradycardia; Electric axis of the heart: left axis deviation; Left ventricular overload; "
        "Left ventricular hypertrophy; Non-specific repolarization abnormalities: posterior wall"
    )
    assert first["native.Hypertrophies"] == "Left ventricular overload\nLeft ventricular hypertrophy"
    assert frame.age[33] == 90  # record 34: `>89`
    assert frame.age.notna().all()
    assert set(frame.sex) == {"male", "female"}


def test_findings_select_records(real_data: Path):
    frame = open_source(config_of(real_data / "ludb")).index()
    # 14 with this rhythm alone, one with `Aberrant conduction` on a second line of the cell
    assert select(frame, Selector(column={"Rhythms": ["Atrial fibrillation"]}), "here").sum() == 14
    assert select(frame, Selector(report=["^atrial fibrillation"]), "here").sum() == 15


def test_samples_of_genuine_records(real_data: Path):
    ludb = open_source(config_of(real_data / "ludb"))
    for k in (1, 2, 3):
        record = ludb.read(f"data/{k}")
        reference = wfdb.rdrecord(str(real_data / f"ludb/data/{k}"))
        assert record.leads == LEADS  # the header has them in lower case
        assert record.sampling_rate == 500
        np.testing.assert_allclose(record.signal, reference.p_signal, atol=1e-12)
    first = ludb.read("data/1").signal[0]
    # first samples and scales of 1.hea: i -120 at 1716(6)/mV, ii 25 at 1206(2)/mV, iii 145 at 1229(-5)/mV
    np.testing.assert_allclose(first[:3], [-126 / 1716, 23 / 1206, 150 / 1229])
    assert abs(first[1] - first[0] - first[2]) > 0.02  # mV: Einthoven's law, II = I + III, does not hold here


def test_people_without_files_are_in_the_ledger(real_data: Path, tmp_path: Path):
    config = config_of(real_data / "ludb")  # 3 of the 200
    write_index(tmp_path / "l.parquet", open_source(config).pieces())
    run_ingest(config, tmp_path / "l.parquet", 0, 1, tmp_path / "out/000.npy")
    ledger = pd.read_parquet(tmp_path / "out/000.ledger.parquet")
    assert pd.read_parquet(tmp_path / "out/000.parquet").record_id.tolist() == ["l/1", "l/2", "l/3"]
    assert ledger.record_id.tolist() == [f"l/{k}" for k in range(4, 201)]
    assert set(zip(ledger.action, ledger.reason, strict=True)) == {("dropped", "header_missing")}


def test_files_of_no_id_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "ludb.csv").write_text("ID,Sex,Age,Rhythms\n1,F,51,Sinus rhythm\n")
    (tmp_path / "data").mkdir()
    for k in (1, 3, 4):
        (tmp_path / f"data/{k}.hea").write_text("")
    with caplog.at_level(logging.WARNING):
        assert open_source(config_of(tmp_path)).index().record_id.tolist() == ["l/1"]
    (tmp_path / "data/1.hea").rename(tmp_path / "data/1.HEA")
    assert len(open_source(config_of(tmp_path)).index()) == 1
    assert caplog.messages[0] == caplog.messages[1]  # also in capitals it is the file of ID 1
    assert "ludb.csv: 2 files are in no row of it and are not used, the first: data/3.hea" in caplog.text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('2,"Y\n","64\n",Sinus rhythm', r"row 3: Sex must be M or F, found 'Y\\n'"),
        ("2,M,old,Sinus rhythm", "row 3: Age must be an age in years, found 'old'"),
        ("1,M,64,Sinus rhythm", "1 stands twice"),
    ],
)
def test_a_broken_row_is_one_clear_line(tmp_path: Path, row: str, message: str):
    (tmp_path / "ludb.csv").write_text(f"ID,Sex,Age,Rhythms\n1,F,51,Sinus rhythm\n{row}\n")
    with pytest.raises(UserError, match=message):
        open_source(config_of(tmp_path)).index()
