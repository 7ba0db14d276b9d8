"""The step as a whole: people's recordings are measured, and what was planted in features is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import BiomarkersConfig, UserError
from ecglfm.discovery.biomarkers import run_biomarkers
from ecglfm.discovery.biomarkers.measure import NAMES
from tests.unit.discovery.recorded_people import Study, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return write_study(tmp_path_factory.mktemp("study"))


def run(study: Study, config: BiomarkersConfig | None = None, workers: int = 1) -> dict[str, object]:
    return run_biomarkers(
        config or BiomarkersConfig(), features=study.features, manifest=study.manifest, index=study.index,
        signals=study.signals, workers=workers,
    )  # fmt: skip


def test_a_feature_that_is_the_rate_is_found_and_noise_is_not(study: Study):
    content = run(study)
    pairs = pd.read_parquet(study.features / "biomarker_associations.parquet").set_index(["edf", "biomarker"])
    assert pairs.loc[("edf_0001", "heart_rate"), "rho"] > 0.95
    assert pairs.loc[("edf_0001", "heart_rate"), "q_value"] < 1e-6
    assert pairs.loc["edf_0002", "q_value"].min() > 0.05
    assert content["people"] == 36
    assert content["adjusted_for"] == ["age", "sex", "source b", "intervals_from machine", "axes_from machine"]
    assert content["without_age_or_sex"] == 1
    assert (study.features / "biomarkers.png").stat().st_size > 10_000
    tsv = pd.read_csv(study.features / "biomarker_associations.tsv", sep="\t")
    assert tsv["rho"].to_numpy() == pytest.approx(pairs["rho"].to_numpy(), nan_ok=True)


def test_the_machine_is_preferred_where_it_has_measured(study: Study):
    run(study)
    theirs = pd.read_parquet(study.features / "biomarkers.parquet").set_index("record_id")
    assert theirs["intervals_from"].value_counts().to_dict() == {"ecglfm": 24, "machine": 12}
    assert theirs.loc["b/0", ["pr_ms", "qrs_ms", "qt_ms"]].tolist() == [160, 92, 380]
    content = json.loads((study.features / "biomarkers.json").read_text())
    assert content["whose"]["intervals_from"] == {"ecglfm": 24, "machine": 12}
    assert content["agreement"]["rr_ms"]["records"] == 12
    assert abs(content["agreement"]["rr_ms"]["bias_ms"]) < 2
    run(study, BiomarkersConfig(measurements="own"))
    ours = pd.read_parquet(study.features / "biomarkers.parquet").set_index("record_id")
    assert set(ours["intervals_from"]) == {"ecglfm"}
    assert ours.loc["b/0", "pr_ms"] != 160
    pd.testing.assert_frame_equal(
        ours.loc[ours.index.str.startswith("a/")], theirs.loc[theirs.index.str.startswith("a/")]
    )


def test_order_of_tables_and_number_of_workers_change_nothing(study: Study, tmp_path: Path):
    run(study)
    names = ("biomarkers.parquet", "biomarker_associations.tsv", "biomarkers.png", "biomarkers.json")
    first = [(study.features / name).read_bytes() for name in names]
    other = write_study(tmp_path, shuffled=True)
    run(other, workers=2)
    assert [(other.features / name).read_bytes() for name in names] == first


def test_fewer_people_are_drawn_and_nobody_without_age(study: Study):
    with pytest.raises(ValueError, match="people"):
        BiomarkersConfig(people=20)
    config = BiomarkersConfig.model_construct(measurements="machine", people=30)
    assert run(study, config)["people"] == 30
    values = pd.read_parquet(study.features / "biomarkers.parquet")
    assert values["patient_id"].is_monotonic_increasing
    assert np.isfinite(values[list(NAMES)].to_numpy()).mean() > 0.9
    people = pd.read_parquet(study.features / "people.parquet")
    people.assign(age=np.nan).to_parquet(study.features / "people.parquet")
    with pytest.raises(UserError, match="age and sex of nobody"):
        run(study, config)
    people.to_parquet(study.features / "people.parquet")
