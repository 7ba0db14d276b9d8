"""The model of features gives what the step `features` gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.discovery.interpretation.functional import feature_model
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import small
from tests.unit.evaluation.attribution.models import linear_model, random_model

RNG = np.random.default_rng(0)


def write_weights(path: Path, dim: int, features: int = 3) -> tuple[np.ndarray, np.ndarray]:
    mean, weights = RNG.normal(size=dim), RNG.normal(size=(dim, features))
    table = pd.DataFrame({"dimension": [f"vector.{number:04d}" for number in range(dim)], "mean": mean})
    table.join(pd.DataFrame(weights, columns=[f"edf_{one + 1:04d}" for one in range(features)])).to_parquet(path)
    return mean, weights


def test_outputs_are_features_in_standard_deviations(tmp_path: Path):
    encoder = random_model().encoder
    mean, weights = write_weights(tmp_path / "w.parquet", encoder.dim)
    spread = np.array([2.0, 0.5])
    model = feature_model(encoder, tmp_path / "w.parquet", ["edf_0003", "edf_0001"], spread)
    x = torch.from_numpy(RNG.normal(size=(4, 12, 500))).float()
    with torch.no_grad():
        expected = (encoder.embed(x).double().numpy() - mean) @ weights[:, [2, 0]] / spread
        assert model.outputs(model(x)).numpy() == pytest.approx(expected, abs=1e-5)


def test_of_a_model_with_its_own_pooling_the_vector_is_what_its_head_reads(tmp_path: Path):
    fitted = linear_model(mode="frozen")
    with torch.no_grad():
        fitted.pooling.query.copy_(torch.linspace(-1, 1, 12))
    mean, weights = write_weights(tmp_path / "w.parquet", 12)
    model = feature_model(fitted, tmp_path / "w.parquet", ["edf_0002"], np.ones(1))
    x = torch.from_numpy(RNG.normal(size=(2, 12, 200))).float()
    with torch.no_grad():
        expected = (fitted.embed(x).double().numpy() - mean) @ weights[:, [1]]
        assert model(x).numpy() == pytest.approx(expected, abs=1e-5)


def test_another_encoder_is_refused(tmp_path: Path):
    write_weights(tmp_path / "w.parquet", 7)
    with pytest.raises(UserError, match="of vectors of 7 numbers, the encoder's have 16"):
        feature_model(random_model().encoder, tmp_path / "w.parquet", ["edf_0001"], np.ones(1))


@pytest.mark.parametrize("mode", ["linear", "frozen"])
def test_of_an_encoder_whose_vector_is_wider_than_its_frames(tmp_path: Path, mode: str):
    """Mean and maximum joined; attention pooling stands in their place."""
    encoder = make_encoder(small("resnet"), LEADS, 500, PreprocessConfig(), 5.0).eval()
    fitted = ECGModel(encoder, ["a"], mode).eval()
    mean, weights = write_weights(tmp_path / "w.parquet", {"linear": 32, "frozen": 16}[mode])
    model = feature_model(fitted, tmp_path / "w.parquet", ["edf_0002"], np.ones(1))
    x = torch.from_numpy(RNG.normal(size=(2, 12, 200))).float()
    with torch.no_grad():
        expected = (fitted.embed(x).double().numpy() - mean) @ weights[:, [1]]
        assert model(x).numpy() == pytest.approx(expected, abs=1e-5)
