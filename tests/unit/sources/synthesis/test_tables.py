"""Tables of the synthetic databases: the genuine columns, and what was planted."""

from __future__ import annotations

import ast
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS
from ecglfm.discovery.biomarkers.measure import measure_biomarkers
from ecglfm.sources import open_source
from ecglfm.sources.synthesis.heart import RATE, quantize, record_leads
from ecglfm.sources.synthesis.patient import generator
from ecglfm.sources.synthesis.tables import MEASUREMENT_COLUMNS, mimic_rows
from ecglfm.sources.synthesis.visit import draw_visit
from tests.unit.sources.synthesis.small_databases import make


def test_genuine_columns(real_data: Path, tmp_path: Path):
    make(tmp_path / "p", patients=2)
    make(tmp_path / "m", patients=2, layout="mimic_iv_ecg")
    for genuine, name in (
        ("ptb-xl", "p/ptbxl_database.csv"),
        ("ptb-xl", "p/scp_statements.csv"),
        ("mimic-iv-ecg", "m/record_list.csv"),
        ("mimic-iv-ecg", "m/machine_measurements.csv"),
    ):
        expected = pd.read_csv(real_data / genuine / Path(name).name, nrows=0).columns
        assert list(pd.read_csv(tmp_path / name, nrows=0).columns) == list(expected)
    statements = pd.read_csv(tmp_path / "p" / "scp_statements.csv", index_col=0)
    genuine_rows = pd.read_csv(real_data / "ptb-xl" / "scp_statements.csv", index_col=0).loc[statements.index]
    columns = ["diagnostic", "form", "rhythm", "diagnostic_class", "diagnostic_subclass"]
    pd.testing.assert_frame_equal(statements[columns], genuine_rows[columns], check_dtype=False)
    assert (tmp_path / "m/files/p1000/p10000001/s40000002/40000002.hea").exists()
    assert (tmp_path / "p/records500/00000/00004_hr.dat").exists()


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> pd.DataFrame:
    """`ptbxl_database.csv` of 240 patients, without the recordings."""
    root = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecglfm.sources.synthesis.database.write_record", lambda *_, **__: None)
        make(root, patients=240)
    return pd.read_csv(root / "ptbxl_database.csv")


def test_ptbxl_table_says_what_was_planted(table: pd.DataFrame):
    codes = [set(ast.literal_eval(text)) for text in table.scp_codes]
    share = {code: np.mean([code in row for row in codes]) for code in set().union(*codes)}
    assert set(share) == {"NORM", "SR", "AFIB", "SBRAD", "SVTAC", "CLBBB", "AMI", "IMI", "PVC"}
    assert min(share.values()) >= 0.10
    assert not any({"NORM", "PVC"} <= row for row in codes)
    assert (table.groupby("patient_id").strat_fold.nunique() == 1).all()
    assert (table.groupby("patient_id").scp_codes.nunique() == 1).all()  # chronic
    assert table.strat_fold.value_counts().between(34, 62).all()
    assert set(table.strat_fold) == set(range(1, 11))
    for fold in (9, 10):  # each fold has its share of each condition
        assert {"AFIB", "CLBBB", "AMI", "IMI", "PVC"} <= set().union(
            *(codes[k] for k in table.index[table.strat_fold == fold])
        )
    assert set(table.sex) == {0, 1}
    assert table.age[table.age < 300].between(18, 89).all()
    of_patient = table.assign(year=pd.to_datetime(table.recording_date).dt.year).groupby("patient_id")
    assert (of_patient[["height", "weight"]].nunique() == 1).all(axis=None)
    assert table.groupby("sex").height.mean().diff()[1] == pytest.approx(-12, abs=3)
    years, older = (of_patient[name].agg(np.ptp) for name in ("year", "age"))
    assert (older - years).abs()[of_patient.age.max() < 300].max() <= 1
    assert (older > 0).mean() > 0.1


def test_nurse_is_a_coin_that_depends_on_nothing(table: pd.DataFrame):
    assert set(table.nurse) == {0.0, 1.0}
    assert table.nurse.mean() == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(480))
    assert (table.groupby("patient_id").nurse.nunique() == 2).mean() == pytest.approx(0.5, abs=0.1)  # not the patient's
    for group in (table.sex, table.scp_codes, table.strat_fold):
        rates = table.nurse.groupby(group)
        assert ((rates.mean() - 0.5).abs() <= 4 * 0.5 / np.sqrt(rates.size())).all()


def test_mimic_table_says_the_same_in_the_carts_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ecglfm.sources.synthesis.database.write_record", lambda *_, **__: None)
    index = open_source(make(tmp_path, layout="mimic_iv_ecg", patients=100, records_per_patient=3)).index()
    assert (index.groupby("patient_id").size() == 3).all()
    for words in ("atrial fibrillation", "left bundle branch block", "anterior infarct", "inferior infarct",
                  "ventricular premature", "sinus bradycardia", "supraventricular tachycardia"):  # fmt: skip
        assert index.report.str.lower().str.contains(words).mean() >= 0.10, words
    af = index.report.str.startswith("Atrial fibrillation")
    assert (index.loc[af, "native.p_onset"] == "29999").all()
    rr = index["native.rr_interval"].astype(float)
    assert (rr[index.report.str.startswith("Sinus bradycardia")] > 1000).all()
    assert (rr[index.report.str.startswith("Supraventricular")] < 400).all()
    qrs = index["native.qrs_end"].astype(float) - index["native.qrs_onset"].astype(float)
    assert qrs[index.report.str.contains("Normal ECG")].median() == pytest.approx(92.5, abs=4)  # 2.5 sigma either side
    assert qrs[index.report.str.contains("Left bundle")].median() == pytest.approx(158.0, abs=6)


def test_the_cart_measures_the_waves_that_it_recorded():
    """QRS of blocks that show in part, in some beats, and of what is wide without one."""
    said, signal = [], []
    for number in range(120):
        visit = draw_visit((1, 5), number, 0, difficulty=1.0)
        if visit.heart.ectopy or visit.heart.condition in {"AFIB", "SVTAC"}:
            continue
        leads, _ = record_leads(visit.heart, generator(9, number), mains=60.0)
        found = measure_biomarkers(quantize(leads, 1000.0) / 1000.0, RATE, list(LEADS), mains=60.0)
        _, measured = mimic_rows(visit, number, datetime(2150, 1, 1), 0.8, generator(0))
        row = dict(zip(MEASUREMENT_COLUMNS, measured, strict=True))
        said.append(row["qrs_end"] - row["qrs_onset"])
        signal.append(found["qrs_ms"])
    assert len(said) > 60
    assert np.corrcoef(said, signal)[0, 1] > 0.85
    assert np.mean(np.subtract(said, signal)) == pytest.approx(0, abs=10)


def test_a_hard_table_tells_site_device_and_changing_conditions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ecglfm.sources.synthesis.database.write_record", lambda *_, **__: None)
    make(tmp_path / "p", patients=240, difficulty=1.0)
    rows = pd.read_csv(tmp_path / "p" / "ptbxl_database.csv", parse_dates=["recording_date"])
    assert rows.groupby("site").device.unique().map(list).to_dict() == {
        0.0: ["SYNTHETIC A"], 1.0: ["SYNTHETIC B"], 2.0: ["SYNTHETIC C"],
    }  # fmt: skip
    assert 0.2 < (rows.groupby("patient_id").scp_codes.nunique() == 2).mean() < 0.5
    assert (rows.groupby("patient_id").recording_date.diff().dropna() > pd.Timedelta(0)).all()
    assert rows.nurse.mean() == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(480))
    make(tmp_path / "m", patients=40, layout="mimic_iv_ecg", difficulty=1.0)
    carts = pd.read_csv(tmp_path / "m" / "machine_measurements.csv")
    assert set(carts.bandwidth) == {"0.05-150 Hz", "0.5-40 Hz", "0.05-100 Hz"}
    assert carts.groupby("subject_id").bandwidth.nunique().max() == 1
    assert set(carts.cart_id) == {6_848_296, 6_848_297}
