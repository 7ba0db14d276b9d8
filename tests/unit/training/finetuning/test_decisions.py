"""What a fitted model decides by: all of it from the validation records, none of it where the config says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm.config import LEADS, FinetuneConfig, PreprocessConfig
from ecglfm.data.samples import Held
from ecglfm.models.baseline_hazard import fit_slope
from ecglfm.models.bundle import load_model, save_model
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.outputs import link_of
from ecglfm.training.finetuning.decisions import decide
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.inference import predict, predict_described
from tests.unit.architectures import architecture, small

COUNT = 80
TRAIN, VALID = np.arange(40), np.arange(40, COUNT)


def make(kind: str) -> tuple[ECGModel, Labelled]:
    torch.manual_seed(0)
    shape = architecture(kind="conformer", dim=8, layers=1, heads=2, ffn_dim=16, conv_channels=4)
    encoder = make_encoder(shape, list(LEADS), 100, PreprocessConfig(sampling_rate=100), 2.0)
    model = ECGModel(encoder, ["x"], "full", link_of(kind, [0.0], [1.0])).eval()
    signals = list(np.random.default_rng(0).normal(0, 300, (COUNT, 400, 12)).astype(np.int16))
    flags = ["lead_off" if row % 2 else "mains_noise,leads_derived" for row in range(COUNT)]
    records = pd.DataFrame({"patient_id": np.arange(COUNT).astype(str), "flags": flags})
    target = (np.arange(COUNT) % 3 == 0).astype(np.float32)[:, None]
    return model, Labelled(records, target, ["x"], TRAIN, VALID, Held(signals), kind, TRAIN)


def test_all_of_it_is_chosen_on_valid() -> None:
    model, data = make("multilabel")
    config = FinetuneConfig(outlier_share=0.2, conformal_coverage=0.8)
    chosen = decide(model, data, config)
    assert list(chosen) == ["x"]
    assert model.thresholds == [chosen["x"].value]
    assert model.conformal.coverage == 0.8
    assert model.conformal.positives == (int(data.target[VALID].sum()),)
    outputs, numbers = predict_described(model, data.signals)
    np.testing.assert_array_equal(outputs, predict(model, data.signals))
    assert numbers.shape == (COUNT, 8 + 66 + 8 + 1)
    held = model.calibrated(outputs[VALID])[data.target[VALID] == 1] >= model.conformal.present_from[0]
    assert 0.8 <= held.mean() < 0.95
    assert model.reference.common == ("lead_off",)
    unlike = [bool(why) for why in model.reference.reasons(numbers[VALID], [{"lead_off"}] * len(VALID))]
    assert 0 < np.mean(unlike) <= 0.2
    mean = numbers[TRAIN, :8].mean(axis=0)
    np.testing.assert_allclose(model.reference.vector.mean, mean, rtol=1e-4, atol=1e-6)


def test_what_training_records_look_like_is_as_wide_as_what_the_head_reads(tmp_path: Path) -> None:
    """Of an encoder whose vector is wider than its frames."""
    _, data = make("multilabel")
    encoder = make_encoder(small("resnet"), list(LEADS), 100, PreprocessConfig(sampling_rate=100), 2.0)
    model = ECGModel(encoder, ["x"], "full").eval()
    decide(model, data, FinetuneConfig(outlier_share=0.2, conformal_coverage=None))
    assert model.reference.vector.mean.shape == (32,)
    save_model(tmp_path, model, {})
    torch.testing.assert_close(load_model(tmp_path).reference.vector.root, model.reference.vector.root)


def test_nothing_is_chosen_that_is_not_asked_for() -> None:
    model, data = make("multilabel")
    decide(model, data, FinetuneConfig(outlier_share=None, conformal_coverage=None, calibration="none"))
    assert (model.reference, model.conformal, model.calibration) == (None, None, None)


@pytest.mark.parametrize("calibration", ["none", "temperature", "temperature_per_label"])
def test_risks_have_a_slope_where_a_calibration_is_asked_for(calibration: str) -> None:
    model, data = make("survival")
    data.target[:, 0] = np.arange(1, COUNT + 1, dtype=np.float32)
    decide(model, data, FinetuneConfig(loss="auto", outlier_share=None, calibration=calibration))
    (found,) = model.baselines
    risk = predict(model, data.signals)[VALID, 0].astype(float)
    slope = 1.0 if calibration == "none" else fit_slope(data.target[VALID, 0], np.ones(40), risk)
    assert found.slope == pytest.approx(slope)
    assert found.hazard[0] == pytest.approx(1 / np.exp(slope * risk).sum())
    assert fit_slope(data.target[VALID, 0], np.ones(40), risk) != pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("kind", ["regression", "survival"])
def test_numbers_have_a_reference_and_no_thresholds(kind: str) -> None:
    model, data = make(kind)
    assert decide(model, data, FinetuneConfig(loss="auto")) == {}
    assert model.reference is not None
    assert (model.thresholds, model.conformal, model.calibration) == ([], None, None)


def test_a_baseline_hazard_is_that_of_the_valid_records_alone() -> None:
    model, data = make("survival")
    data.target[:, 0] = np.where(np.arange(COUNT) % 3 == 0, 1, -1) * np.arange(1, COUNT + 1, dtype=np.float32)
    decide(model, data, FinetuneConfig(loss="auto", outlier_share=None))
    (found,) = model.baselines
    assert found.times == tuple(range(43, 80, 3))  # records 42, 45, … have the event
    risk = predict(model, data.signals)[:, 0].astype(float)
    assert found.hazard[0] == pytest.approx(1 / np.exp(risk[42:]).sum())
    assert (found.until, found.scale) == (COUNT, pytest.approx(np.std(risk[VALID])))
    assert found.slope == 1  # of 13 events none is fitted
    with_class, data = make("multilabel")
    decide(with_class, data, FinetuneConfig(outlier_share=None))
    assert with_class.baselines == []
