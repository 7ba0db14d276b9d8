"""The analysis of serial ECGs over a results folder with planted reliabilities, its picture and its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import SerialSlice, UserError
from ecglfm.evaluation.report import run_analysis_page
from ecglfm.evaluation.serial import run_serial
from ecglfm.provenance import read_json, write_json
from tests.unit.evaluation.report.pages_read import words

PATIENTS = 120
#: Of the scores' logits: what is the person's; ST is new with every recording that is later than a month.
STABLE = {"LBBB": 0.8, "AFIB": 0.5}


def config(**change) -> SerialSlice:
    content = {"sources": ["s"], "gaps": [30.0], "time": {"s": "when"}, "bootstrap": 300, "confidence": 0.95, "seed": 0}
    return SerialSlice(**(content | {"min_patients": 5} | change))


def write_results(folder: Path) -> None:
    """Three recordings of everybody: two within a day, the third a year later; and a record of train."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(PATIENTS), 3)
    ids = [f"s/{k}" for k in range(len(patients))]
    days = np.tile([0.0, 0.5, 365.0], PATIENTS) + 10 * patients
    frame = pd.DataFrame({"record_id": ids, "patient_id": [f"s/p{p}" for p in patients], "split": "test"})
    for label, share in STABLE.items():
        logit = np.sqrt(share) * rng.normal(size=PATIENTS)[patients] + np.sqrt(1 - share) * rng.normal(size=len(ids))
        frame[f"probability.{label}"] = 1 / (1 + np.exp(-logit))
    own = np.where(days % 10 == 5, rng.normal(size=len(ids)), rng.normal(size=PATIENTS)[patients])  # 365 ends in 5
    frame["probability.ST"] = 1 / (1 + np.exp(-own - 1e-3 * rng.normal(size=len(ids))))
    model = folder / "evaluate/e/t/full-s0"
    model.mkdir(parents=True)
    frame.to_parquet(model / "predictions.parquet")
    write_json(model / "metrics.json", {"kind": "multilabel", "label_names": [*STABLE, "ST"]})
    for name in ("index", "manifest", "embed/e"):
        (folder / name).mkdir(parents=True)
    pd.DataFrame({"record_id": [*ids, "s/x"], "native.when": [*days.astype(str), "0"]}).to_parquet(
        folder / "index/s.parquet"
    )
    trained = pd.DataFrame({"record_id": ["s/x"], "patient_id": ["s/px"], "split": ["train"]})
    pd.concat([frame, trained]).to_parquet(folder / "manifest/records.parquet")
    vectors = 0.8**0.5 * rng.normal(size=(PATIENTS, 20))[patients] + 0.2**0.5 * rng.normal(size=(len(ids), 20))
    table = pd.DataFrame(np.vstack([vectors, np.full((1, 20), 1e6)]), columns=[f"vector.{d:04d}" for d in range(20)])
    table.insert(0, "record", [*ids, "s/x"])
    table.insert(1, "patient_id", [*frame["patient_id"], "s/px"])
    table.to_parquet(folder / "embed/e/s.parquet")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    write_results(folder)
    run_serial(config(), folder, include=["e/t/full-s0"], encoders=["e"], output=folder / "serial")
    return folder


def test_planted_reliabilities_are_found(results: Path):
    found = read_json(results / "serial/serial.json")
    assert found["times"] == ["all", "< 30 d", ">= 30 d"]
    labels = found["models"][0]["labels"]
    for label, share in STABLE.items():
        for time in found["times"]:
            entry = labels[label][time]
            assert entry["ci_low"] < share < entry["ci_high"], (label, time)
            assert (entry["patients"], entry["recordings"]) == (PATIENTS, PATIENTS * (3 if time == "all" else 2))
    assert labels["ST"]["< 30 d"]["value"] > 0.99
    assert abs(labels["ST"][">= 30 d"]["value"]) < 0.25
    assert labels["LBBB"]["all"]["within"] == pytest.approx(0.2**0.5, abs=0.05)


def test_embeddings_of_test_recordings_alone(results: Path):
    (entry,) = read_json(results / "serial/serial.json")["embeddings"]
    median = entry["times"]["all"]
    assert entry["dims"] == 20
    assert median["ci_low"] < 0.8 < median["ci_high"]
    assert median["lower"] < median["value"] < median["upper"]
    assert median["recordings"] == 3 * PATIENTS  # none of train's


def test_the_table_has_every_value_at_every_time(results: Path):
    table = pd.read_csv(results / "serial/serial.csv")
    assert len(table) == 3 * (3 + 20)
    row = table[(table["value"] == "LBBB") & (table["time"] == "all")].iloc[0]
    entry = read_json(results / "serial/serial.json")["models"][0]["labels"]["LBBB"]["all"]
    assert (row["icc"], row["ci_low"], row["ci_high"]) == (entry["value"], entry["ci_low"], entry["ci_high"])
    assert table[table["value"].str.startswith("vector")]["task"].isna().all()


def test_the_page_shows_the_numbers(results: Path):
    run_analysis_page("serial", results, results / "serial/index.html")
    seen = words((results / "serial/index.html").read_text())
    entry = read_json(results / "serial/serial.json")["models"][0]["labels"]["AFIB"]["< 30 d"]
    assert f"{entry['value']:.3f} {entry['ci_low']:.3f} – {entry['ci_high']:.3f}" in seen
    assert "120 120 120" in seen
    assert (results / "serial/serial.png").read_bytes().startswith(b"\x89PNG")


def test_nobody_with_two_recordings_is_said(tmp_path: Path):
    write_results(tmp_path)
    for path in (tmp_path / "evaluate/e/t/full-s0/predictions.parquet", tmp_path / "embed/e/s.parquet"):
        pd.read_parquet(path).drop_duplicates("patient_id").to_parquet(path)
    with pytest.raises(UserError, match="serial: nobody has two recordings in the test split"):
        run_serial(config(), tmp_path, include=["e/t/full-s0"], encoders=["e"], output=tmp_path / "serial")


def test_without_times_only_all_recordings_are_compared(tmp_path: Path):
    write_results(tmp_path)
    found = run_serial(config(time={}), tmp_path, include=["e/t/full-s0"], encoders=["e"], output=tmp_path / "serial")
    times = found["models"][0]["labels"]["LBBB"]
    assert times["all"]["value"] > 0.5
    assert times["< 30 d"] == {
        "value": None, "ci_low": None, "ci_high": None, "patients": 0, "recordings": 0, "within": None,
        "reason": "0 patients with two such recordings",
    }  # fmt: skip
