"""What electrocardiographs write is read as they mean it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.discovery.biomarkers.machine import machine_biomarkers, read_machine


def test_a_row_of_mimic_by_hand():
    native = pd.DataFrame({
        "rr_interval": ["800", "29999"], "p_onset": ["40", "29999"], "p_end": ["140", "29999"],
        "qrs_onset": ["200", "200"], "qrs_end": ["292", "350"], "t_end": ["580", "600"], "p_axis": ["51", "29999"],
        "qrs_axis": ["-30", "12"], "t_axis": ["64", "29999"],
    })  # fmt: skip
    found = machine_biomarkers(native)
    first = found.iloc[0]
    assert first[["rr_ms", "heart_rate", "p_ms", "pr_ms", "qrs_ms", "qt_ms"]].tolist() == [800, 75, 100, 160, 92, 380]
    assert first["qtc_bazett_ms"] == pytest.approx(380 / 0.8**0.5)
    assert first["qtc_fridericia_ms"] == pytest.approx(380 / 0.8 ** (1 / 3))
    assert first[["p_axis", "qrs_axis", "t_axis"]].tolist() == [51, -30, 64]
    second = found.iloc[1]  # atrial fibrillation: no P, and no RR to correct by
    assert second["qrs_ms"] == 150
    assert second[["rr_ms", "heart_rate", "pr_ms", "p_ms", "qtc_bazett_ms", "p_axis"]].isna().all()


def test_a_row_of_cardiosoft_and_of_muse():
    cardiosoft = pd.DataFrame({"VentricularRate": ["60"], "PQInterval": ["152"], "PDuration": ["104"],
                               "QRSDuration": ["88"], "QTInterval": ["400"], "QTCInterval": ["999"], "RRInterval": [""],
                               "PAxis": ["40"], "RAxis": ["20"], "TAxis": ["35"]})  # fmt: skip
    found = machine_biomarkers(cardiosoft).iloc[0]
    assert found[["rr_ms", "pr_ms", "p_ms", "qrs_ms", "qt_ms", "qtc_bazett_ms"]].tolist() == [
        1000,
        152,
        104,
        88,
        400,
        400,
    ]
    assert found[["p_axis", "qrs_axis", "t_axis"]].tolist() == [40, 20, 35]
    muse = machine_biomarkers(pd.DataFrame({"PRInterval": ["0"], "QRSDuration": ["90"], "VentricularRate": ["80"]}))
    assert np.isnan(muse.loc[0, "pr_ms"])  # no P wave
    assert muse.loc[0, "rr_ms"] == 750


def test_records_are_joined_by_id_over_databases(tmp_path: Path):
    pd.DataFrame({"record_id": ["b/2", "b/1"], "native.QRSDuration": ["120", "80"]}).to_parquet(tmp_path / "b.parquet")
    pd.DataFrame({"record_id": ["a/1"], "qrs_duration": [77]}).to_parquet(tmp_path / "a.parquet")  # not the machine's
    found = read_machine([tmp_path / "a.parquet", tmp_path / "b.parquet"], ["b/1", "a/1", "b/2"])
    assert found.index.tolist() == ["b/1", "a/1", "b/2"]
    assert found["qrs_ms"].fillna(-1).tolist() == [80, -1, 120]
