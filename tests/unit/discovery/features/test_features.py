"""The step `discover features`, with what is planted in vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import FeaturesSlice, UserError
from ecglfm.discovery.features import run_features
from ecglfm.discovery.features.normal import rank_inverse_normal
from ecglfm.provenance import read_json
from tests.unit.discovery.features.cohort import Cohort, write_cohort

FILES = ["edf.json", "edf.parquet", "edf_raw.parquet", "edf_weights.parquet", "people.parquet"]


def run(cohort: Cohort, output: Path, **features: object) -> Path:
    slice_ = FeaturesSlice.model_validate({"features": features, "time": {"a": "when", "b": "when"}})
    run_features(slice_, vectors=cohort.vectors, manifest=cohort.manifest, index=cohort.index, output=output)
    return output


@pytest.mark.parametrize("features", [{"count": 3}, {"kind": "dimensions", "record": "mean"}])
def test_the_order_of_rows_changes_no_byte(tmp_path: Path, features: dict):
    one = run(write_cohort(tmp_path / "1"), tmp_path / "one", **features)
    other = run(write_cohort(tmp_path / "2", shuffled=True), tmp_path / "other", **features)
    assert sorted(path.name for path in one.iterdir()) == FILES
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_weights_make_the_raw_feature_of_a_vector(tmp_path: Path):
    cohort = write_cohort(tmp_path)
    output = run(cohort, tmp_path / "out", count=3)
    raw = pd.read_parquet(output / "edf_raw.parquet").set_index("patient_id")
    weights = pd.read_parquet(output / "edf_weights.parquet").set_index("dimension")
    vector = cohort.x.loc[raw["record_id"]["a/7"]].astype(float)
    names = ["edf_0001", "edf_0002", "edf_0003"]
    np.testing.assert_allclose(
        (vector - weights["mean"]) @ weights[names], raw.loc["a/7", names].astype(float), rtol=1e-9
    )
    scores = pd.read_parquet(output / "edf.parquet")
    np.testing.assert_allclose(scores["edf_0002"], rank_inverse_normal(raw["edf_0002"].to_numpy()))


def test_what_hardly_varies_is_dropped_and_listed(tmp_path: Path):
    """vector.0001 is constant, vector.0002 has two values."""
    cohort = write_cohort(tmp_path)
    for path in cohort.vectors:
        table = pd.read_parquet(path)
        table["vector.0001"] = np.float32(0.1)
        table["vector.0002"] = (np.arange(len(table)) % 2).astype(np.float32)
        table.to_parquet(path)
    output = run(cohort, tmp_path / "out", kind="dimensions")
    about = read_json(output / "edf.json")
    assert [one["name"] for one in about["features"]] == ["edf_0000", "edf_0003"]
    assert about["dropped"] == [
        {"name": "edf_0001", "distinct": 1, "reason": "constant"},
        {"name": "edf_0002", "distinct": 2, "reason": "too few different values"},
    ]
    assert list(pd.read_parquet(output / "edf.parquet"))[2:] == ["edf_0000", "edf_0003"]
    with pytest.raises(UserError, match="no feature has 41 different values in 40 people"):
        run(cohort, tmp_path / "out", kind="dimensions", min_distinct=41)


def test_attribution_takes_what_the_head_relies_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The head looks at dimension 3 more than at 1, and at nothing else; MI is its second label."""
    import torch

    from ecglfm.discovery.features import features as module

    head = torch.nn.Linear(4, 2)
    head.weight.data = torch.tensor([[9.0, 0, 0, 0], [0, 1.0, 0, -4.0]])
    model = type("Model", (), {"head": head, "label_names": ["AF", "MI"]})
    monkeypatch.setattr("ecglfm.models.bundle.load_model", lambda path: model)
    cohort = write_cohort(tmp_path)
    slice_ = FeaturesSlice.model_validate(
        {"features": {"kind": "attribution", "count": 2, "task": "t", "label": "MI"}, "time": {}}
    )
    shared = {"vectors": cohort.vectors, "manifest": cohort.manifest, "index": cohort.index, "output": tmp_path / "out"}
    module.run_features(slice_, model=tmp_path, **shared)
    assert [one["name"] for one in read_json(tmp_path / "out/edf.json")["features"]] == ["edf_0003", "edf_0001"]
    other = slice_.model_copy(update={"features": slice_.features.model_copy(update={"label": "PVC"})})
    with pytest.raises(UserError, match="'PVC' is none of .*, which has AF, MI"):
        module.run_features(other, model=tmp_path, **shared)
    with pytest.raises(UserError, match="needs --model"):
        module.run_features(slice_, **shared)
