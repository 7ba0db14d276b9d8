"""One small model and its bundle, for all tests of handing over: an export to ONNX takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ecglfm.app.handover import write_bundle
from ecglfm.config import InputConfig, PreprocessConfig
from ecglfm.models.bundle import save_model
from ecglfm.models.calibration import Calibration
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import architecture

LABELS = ["AF", "LBBB"]
RATE = 500.0


def make_model(folder: Path) -> Path:
    """A model that reads 250 Hz, filtered, three leads in an order of their own, takes the strongest window, and is calibrated."""
    torch.manual_seed(0)
    shape = architecture(kind="convnet", dim=16, kernel=5, expansion=2, blocks=[1], stem=[8], downsample=5)
    preprocess = PreprocessConfig(sampling_rate=250, leads=["V1", "II", "aVL"], bandpass={"high": 40.0}, notch={})
    encoder = make_encoder(shape, ["V1", "II", "aVL"], 250, preprocess, 2.0)
    model = ECGModel(encoder, LABELS, "full")
    model.thresholds, model.aggregate = [0.4, 0.6], "max"
    model.calibration = Calibration(np.array([0.5, 3.0]), exclusive=False)
    save_model(folder, model.eval(), {"task": "rhythm", "fit": "full-s0"})
    return folder


def make_contracted(folder: Path) -> Path:
    """A model whose encoder says how its input is made: at its own rate, standardised, halved in every window."""
    torch.manual_seed(0)
    contract = InputConfig.model_validate({
        "leads": ["V1", "aVF", "I"], "sampling_rate": 100, "window_seconds": 2,
        "record": [
            {"step": "resample", "rate": 200, "method": "fourier"}, {"step": "median_baseline", "seconds": [0.2]},
            {"step": "standardize", "over": "all"},
        ],
        "window": [{"step": "decimate", "factor": 2, "joined": True}],
    })  # fmt: skip
    shape = architecture(kind="convnet", dim=16, kernel=5, expansion=2, blocks=[1], stem=[8], downsample=5)
    encoder = make_encoder(shape, contract.leads, 100, PreprocessConfig(), 2.0, contract)
    model = ECGModel(encoder, LABELS, "full")
    model.thresholds = [0.4, 0.6]
    save_model(folder, model.eval(), {"task": "rhythm", "fit": "full-s0"})
    return folder


@pytest.fixture(scope="session")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folder of the model, and its bundle; not to be changed."""
    root = tmp_path_factory.mktemp("handover")
    model = make_model(root / "results/finetune/tiny/rhythm/full-s0")
    card = root / "results/evaluate/tiny/rhythm/full-s0/card.html"
    card.parent.mkdir(parents=True)
    card.write_text("<p>The card.</p>")
    write_bundle(model, root / "model.zip", rate=RATE)
    return model, root / "model.zip"


@pytest.fixture
def model(bundled: tuple[Path, Path]) -> Path:
    return bundled[0]


@pytest.fixture
def bundle(bundled: tuple[Path, Path]) -> Path:
    return bundled[1]
