"""The step as a whole, on a small encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm.config import LEADS, InterpretationConfig, PreprocessConfig, UserError
from ecglfm.discovery.features.choice import components
from ecglfm.discovery.interpretation import run_interpretation
from ecglfm.discovery.recordings import Recordings
from ecglfm.evaluation.attribution import TOLERANCE
from ecglfm.models.bundle import save_encoder
from ecglfm.models.encoders import make_encoder
from tests.unit.architectures import small
from tests.unit.discovery.recorded_people import SECONDS, Study, write_study

CONFIG = InterpretationConfig(features=["edf_0002", "edf_0001"], share=0.2, records=2, beats=3, map_people=30)
FILES = ("attribution.parquet", "attribution.tsv", "attribution.png", "extremes.png", "people_map.parquet",
         "people_map.png", "interpretation.json")  # fmt: skip


def write_all(folder: Path, *, shuffled: bool = False) -> tuple[Study, Path]:
    """A study whose features are components of a small encoder's vectors."""
    study = write_study(folder, shuffled=shuffled)
    torch.manual_seed(0)
    encoder = make_encoder(small("conformer"), list(LEADS), 500, PreprocessConfig(), float(SECONDS)).eval()
    save_encoder(folder / "encoder", encoder, {"name": "small"})
    people = pd.read_parquet(study.features / "people.parquet")
    ordered = people.sort_values("patient_id")
    read = Recordings(study.manifest, study.signals, ordered["record_id"].tolist())
    x = torch.from_numpy(np.stack([read(name).T / 1000.0 for name in ordered["record_id"]])).float()
    with torch.no_grad():
        vectors = encoder.embed(x).double().numpy()
    made = components(vectors, 2)
    raw = pd.DataFrame((vectors - made.mean_d) @ made.weights_dk, columns=made.names)
    ids = ordered[["patient_id", "record_id"]].reset_index(drop=True)
    names = [f"vector.{number:04d}" for number in range(encoder.dim)]
    weights = pd.DataFrame({"dimension": names, "mean": made.mean_d}).join(
        pd.DataFrame(made.weights_dk, columns=made.names)
    )
    table = ids.rename(columns={"record_id": "record"}).join(pd.DataFrame(vectors, columns=names))
    for name, content in (("edf", ids.join(raw.rank())), ("edf_raw", ids.join(raw)), ("edf_weights", weights)):
        content.to_parquet(study.features / f"{name}.parquet")
    table.sample(frac=1, random_state=int(shuffled)).to_parquet(folder / "vectors.parquet")
    return study, folder / "encoder"


def run(study: Study, encoder: Path, config: InterpretationConfig = CONFIG) -> dict[str, object]:
    return run_interpretation(
        config, features=study.features, encoder=encoder, vectors=[encoder.parent / "vectors.parquet"],
        manifest=study.manifest, signals=study.signals,
    )  # fmt: skip


def test_features_are_explained_to_the_allowed_error(tmp_path: Path):
    study, encoder = write_all(tmp_path)
    content = run(study, encoder)
    assert list(content["features"]) == ["edf_0002", "edf_0001"]
    for about in content["features"].values():
        assert about["high"]["explained"] + about["high"]["left_out"] == 2
        assert about["completeness_error"] < TOLERANCE == content["allowed_error"]
        assert about["low"]["beats"] == 3
    table = pd.read_parquet(study.features / "attribution.parquet")
    raw = pd.read_parquet(study.features / "edf_raw.parquet").set_index("record_id")
    edf = pd.read_parquet(study.features / "edf.parquet").set_index("record_id")
    from ecglfm.discovery.interpretation.attribution import extremes

    for name in ("edf_0001", "edf_0002"):  # entries sum to the difference of the features themselves
        high, low = extremes(edf[name], 0.2, 3)
        expected = (raw.loc[high[:2], name].mean() - raw.loc[low[:2], name].mean()) / raw[name].std()
        assert table.loc[table["edf"] == name, "difference"].sum() == pytest.approx(expected, rel=2 * TOLERANCE)
    assert len(pd.read_parquet(study.features / "people_map.parquet")) == 30
    assert all((study.features / name).stat().st_size > 500 for name in FILES)
    first = [(study.features / name).read_bytes() for name in FILES]
    other, same = write_all(tmp_path / "other", shuffled=True)
    run(other, same)
    assert [(other.features / name).read_bytes() for name in FILES] == first


def test_mistakes_are_named(tmp_path: Path):
    study, encoder = write_all(tmp_path)
    with pytest.raises(UserError, match="no 'edf_0009'; there are edf_0001, edf_0002"):
        run(study, encoder, CONFIG.model_copy(update={"features": ["edf_0009"]}))
    other = make_encoder(small("conformer", dim=8), list(LEADS), 500, PreprocessConfig(), float(SECONDS))
    save_encoder(tmp_path / "other", other, {"name": "other"})
    with pytest.raises(UserError, match="it is another"):
        run(study, tmp_path / "other")
