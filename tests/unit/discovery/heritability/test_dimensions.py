"""The step `discover dimensions`: planted stability and a planted device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config.discovery import DimensionsConfig
from ecglfm.discovery.heritability import run_dimensions
from ecglfm.provenance import read_json

PEOPLE, EACH = 300, 2


def write_people(folder: Path) -> dict[str, object]:
    """Two recordings each; the first dimension stays, the second is noise, the third is the device's."""
    generator = np.random.default_rng(0)
    patients = np.repeat([f"a/{number:04d}" for number in range(PEOPLE)], EACH)
    device = np.repeat(generator.choice(["x", "y"], PEOPLE), EACH)
    person = np.repeat(generator.normal(size=PEOPLE), EACH)
    noise = generator.normal(size=(3, PEOPLE * EACH))
    vectors = {
        "vector.0000": np.sqrt(0.8) * person + np.sqrt(0.2) * noise[0],
        "vector.0001": noise[1],
        "vector.0002": np.sqrt(0.7) * np.where(device == "x", -1, 1) + np.sqrt(0.3) * noise[2],
    }
    names = [f"r{number}" for number in range(PEOPLE * EACH)]
    records = pd.DataFrame({"record_id": names, "patient_id": patients, "source": "a", "age": 50.0, "sex": "male"})
    (folder / "embed").mkdir()
    vector = pd.DataFrame({"record": names, "patient_id": patients} | vectors)
    vector.sample(frac=1, random_state=0).to_parquet(folder / "embed/a.parquet")
    records.to_parquet(folder / "records.parquet")
    (folder / "index").mkdir()
    pd.DataFrame({"record_id": names, "native.device": device}).to_parquet(folder / "index/a.parquet")
    first = records.drop_duplicates("patient_id")
    first.to_parquet(folder / "people.parquet")
    of_first = pd.DataFrame(
        {name: value[::EACH] for name, value in zip(("one", "two", "three"), vectors.values(), strict=True)}
    )
    first[["patient_id", "record_id"]].reset_index(drop=True).join(of_first).to_parquet(folder / "edf.parquet")
    weights = pd.DataFrame(2 * np.eye(3), columns=["one", "two", "three"])
    weights.insert(0, "dimension", list(vectors))
    weights.insert(1, "mean", 0.5)
    weights.to_parquet(folder / "edf_weights.parquet")
    return {
        "features": folder, "vectors": [folder / "embed/a.parquet"], "manifest": folder / "records.parquet",
        "index": [folder / "index/a.parquet"], "ingested": folder,
    }  # fmt: skip


def test_stability_and_confounding_are_those_that_were_planted(tmp_path: Path) -> None:
    files = write_people(tmp_path)
    run_dimensions(DimensionsConfig(variables=["source", "device", "site"]), **files)
    found = pd.read_parquet(tmp_path / "dimensions.parquet").set_index("edf")
    assert found.index[0] == "one"
    assert found["icc"].to_dict() == pytest.approx({"one": 0.8, "two": 0.0, "three": 0.7}, abs=0.12)
    assert found["device_share"].to_dict() == pytest.approx({"one": 0, "two": 0, "three": 0.7}, abs=0.08)
    unknown = read_json(tmp_path / "dimensions.json")["unknown"]
    assert unknown["source"] == "the same for everybody"
    assert set(unknown) == {"source", "site", "h2"}


def test_heritability_has_its_part(tmp_path: Path) -> None:
    files = write_people(tmp_path)
    table = pd.DataFrame({"edf": ["one", "two", "three"], "h2": [0.0, 0.4, 0.1], "h2_se": 0.1, "h2_z": [0.0, 4, 1]})
    table.to_parquet(tmp_path / "heritability.parquet")
    config = DimensionsConfig(variables=["source"], min_patients=1000)
    run_dimensions(config, **files, heritability=tmp_path / "heritability.parquet")
    found = pd.read_parquet(tmp_path / "dimensions.parquet")
    assert found["edf"].tolist() == ["two", "three", "one"]
    assert read_json(tmp_path / "dimensions.json")["unknown"]["icc"] == (
        "300 people with several recordings, fewer than 1000"
    )


def test_people_are_counted_who_have_several_vectors(tmp_path: Path) -> None:
    """All have two recordings in the manifest; two vectors have ten of them, of whom three lack a number."""
    files = write_people(tmp_path)
    path = tmp_path / "embed/a.parquet"
    vectors = pd.read_parquet(path).sort_values("record", key=lambda name: name.str[1:].astype(int))
    vectors = pd.concat([vectors.head(10 * EACH), vectors[10 * EACH :: EACH]])
    vectors.iloc[[0, 2, 4], -1] = np.nan
    vectors.to_parquet(path)
    run_dimensions(DimensionsConfig(variables=["source"], min_patients=8), **files)
    said = read_json(tmp_path / "dimensions.json")["unknown"]["icc"]
    assert said == "7 people with several recordings, fewer than 8"
    run_dimensions(DimensionsConfig(variables=["source"], min_patients=7), **files)
    assert pd.read_parquet(tmp_path / "dimensions.parquet")["icc"].notna().all()
