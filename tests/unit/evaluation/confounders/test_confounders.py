"""Planted: a site that marks its positives is found, and where nothing is planted nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.confounders.confounders import draw_patients, strata_of
from ecglfm.evaluation.confounders.variables import Variable
from ecglfm.provenance import read_json, write_parquet
from tests.unit.evaluation.confounders.planted import PATIENTS, confounders, probe_encoder, write_site


def holds(entry: dict[str, Any], value: float) -> bool:
    return bool(entry["ci_low"] <= value <= entry["ci_high"])


def test_a_site_that_marks_its_positives_is_found(tmp_path: Path) -> None:
    write_site(tmp_path, marked=True)
    probes = probe_encoder(tmp_path)["probes"]
    assert probes["site"]["auroc"]["ci_low"] > 0.95  # a mark of three standard deviations: 0.983
    assert probes["site"]["balanced_accuracy"]["ci_low"] > 0.9
    assert holds(probes["year"]["r2"], 0)  # dates are by chance
    found = confounders(tmp_path)
    assert found["probes"]["site"]["auroc"]["value"] == pytest.approx(0.92, abs=0.04)  # two deviations
    label = found["labels"]["AF"]
    assert holds(label["auroc"], 0.837)  # 0.81 Phi(sqrt 2) + 0.18 / 2 + 0.01 Phi(-sqrt 2)
    assert label["auroc"]["ci_low"] > 0.7
    within = label["within"]["site"]
    assert (within["strata"], within["records"]) == (2, 400)
    assert within["pooled"] == label["auroc"]
    assert holds(within["auroc"], 0.5)
    assert within["auroc"]["ci_high"] < label["auroc"]["ci_low"]
    assert within["difference"]["ci_high"] < 0
    # Alone, the site says 90 % or 10 %: AUROC 0.9 (0.9 * 0.9 of pairs in order, 2 * 0.9 * 0.1 tied).
    alone = label["alone"]
    assert holds(alone["auroc"], 0.9)
    assert alone["difference"]["ci_high"] < 0  # the model, which sees the site through noise, is worse
    assert read_json(tmp_path / "confounders/tiny/af/full-s0/metrics.json")["labels"]["AF"] == label


def test_without_confounding_there_is_none(tmp_path: Path) -> None:
    write_site(tmp_path, marked=False)
    probes = probe_encoder(tmp_path)["probes"]
    assert holds(probes["site"]["auroc"], 0.5)
    assert holds(probes["site"]["balanced_accuracy"], 0.5)
    found = confounders(tmp_path)
    assert holds(found["probes"]["site"]["auroc"], 0.5)
    label = found["labels"]["AF"]
    within = label["within"]["site"]
    assert holds(within["auroc"], within["pooled"]["value"])
    assert holds(within["difference"], 0)
    assert 0.45 < within["share_of_pairs"] < 0.55  # of two sites half of the pairs are of one
    assert holds(label["alone"]["auroc"], 0.5)
    assert label["alone"]["difference"]["ci_low"] > 0.2


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    write_site(tmp_path, marked=False)
    found = probe_encoder(tmp_path)
    assert found["probes"]["source"]["reason"] == "always the same: clinic"
    assert found["missing"] == {
        "device": "no record of clinic says it (columns looked for: device or cart_id or AcquisitionDevice or model)",
        "noise": "no record of clinic says it",
        "rate": "no record of clinic says it",
    }
    assert found["n"] == {"records": 2 * PATIENTS, "patients": PATIENTS, "dim": 6}
    label = confounders(tmp_path)["labels"]["AF"]
    assert label["within"]["source"] == {"reason": "always the same: clinic"}
    assert list(label["within"]) == ["source", "site", "year", "all together"]
    assert label["within"]["all together"]["strata"] == 10  # two sites, five fifths of the years


def test_a_vector_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_site(tmp_path, marked=False)
    path = tmp_path / "embed/tiny/clinic.parquet"
    write_parquet(path, pd.read_parquet(path).query("record != 'clinic/0007'"))
    with pytest.raises(UserError, match=r"tiny: no vector of clinic/0007 and 0 others of the manifest; run the stage"):
        probe_encoder(tmp_path)


def test_patients_are_drawn_whole() -> None:
    records = pd.DataFrame(
        {"record_id": [f"r{i:02d}" for i in range(30)], "patient_id": [f"p{i // 3}" for i in range(30)]}
    )
    drawn = draw_patients(records, 10, 0)
    assert (len(drawn), drawn["patient_id"].nunique()) == (9, 3)
    assert drawn["record_id"].is_monotonic_increasing
    assert set(drawn["patient_id"]) != set(draw_patients(records, 10, 1)["patient_id"])
    assert len(draw_patients(records, 100, 0)) == 30
    assert len(draw_patients(records, 1, 0)) == 3  # never nobody


def test_a_quantity_has_five_strata_of_as_many_records() -> None:
    values = pd.Series([*np.arange(100.0), np.nan])
    patients = pd.Series([f"p{i}" for i in range(101)])
    strata = strata_of(Variable(values, "x"), patients, 20)
    assert isinstance(strata, pd.Series)
    assert sorted(strata.value_counts()) == [20] * 5
    assert strata.isna().tolist() == [False] * 100 + [True]
    rare = pd.Series(["a"] * 60 + ["b"] * 30 + ["c"] * 11, dtype=object)
    strata = strata_of(Variable(rare, "x"), patients, 20)
    assert isinstance(strata, pd.Series)
    assert strata.isna().sum() == 11
    few = strata_of(Variable(rare, "x"), patients, 40)
    assert few == "too few: only 1 of 3 classes has 40 patients"
