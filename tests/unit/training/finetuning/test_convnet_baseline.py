"""The convolutional baseline goes through the rules of every encoder: random weights, then `finetune` in mode `full`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ecglfm import load_encoder, load_model
from ecglfm.config import EncoderConfig, EncoderSlice, FinetuneConfig, PreprocessConfig
from ecglfm.data.samples.dataset import Signals
from ecglfm.models.encoders.convnet import ConvnetEncoder
from ecglfm.models.heads import ECGModel
from ecglfm.training.finetuning.supervised import parameter_groups
from ecglfm.training.inference import predict
from ecglfm.training.pretraining.encoders import write_untrained
from tests.unit.training.finetuning.test_finetune import LEADS, RATE, fit, make_data

MODEL = {"kind": "convnet", "dim": 16, "expansion": 2, "blocks": [1, 1], "stem": [8], "kernel": 5, "dropout": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = make_data(tmp_path_factory.mktemp("convnet"))
    config = EncoderConfig(model=MODEL, weights="random", seed=3)
    preprocess = PreprocessConfig(sampling_rate=RATE, leads=LEADS)
    write_untrained(EncoderSlice(encoder="cnn", config=config, preprocess=preprocess), folder / "encoder")
    return folder


def test_random_weights_are_those_of_the_seed(data: Path) -> None:
    encoder = load_encoder(data / "encoder")
    assert isinstance(encoder, ConvnetEncoder)
    assert (encoder.info["name"], encoder.info["weights"], encoder.info["training"]["steps"]) == ("cnn", "random", 0)
    torch.manual_seed(3)
    first = ConvnetEncoder(encoder.config, LEADS, RATE, encoder.preprocess, 5.0).convnet.stem[0].conv.weight
    torch.testing.assert_close(encoder.convnet.stem[0].conv.weight, first, atol=0, rtol=0)


def test_random_weights_stay_a_control_when_they_are_imported(data: Path, tmp_path: Path) -> None:
    own = load_encoder(data / "encoder")
    config = EncoderConfig(model=MODEL, weights="import", path=str(data / "encoder"))
    write_untrained(EncoderSlice(encoder="copy", config=config, preprocess=own.preprocess), tmp_path)
    copy = load_encoder(tmp_path)
    assert (copy.info["name"], copy.info["weights"]) == ("copy", "random")


@pytest.mark.parametrize(("mode", "epochs"), [("full", 6), ("frozen", 8)])
def test_planted_labels_are_learnt(data: Path, tmp_path: Path, mode: str, epochs: int) -> None:
    fit(data, tmp_path, f"{mode}-s0", epochs=epochs, lr=1e-2, head_lr=3e-2, freeze_frontend=True)
    model = load_model(tmp_path)
    records = pd.read_parquet(data / "records.parquet").query("split == 'test'").reset_index(drop=True)
    labels = pd.read_parquet(data / "labels.parquet").set_index("record_id").loc[records["record_id"]]
    said = predict(model, Signals(records, data / "preprocess"))
    for column, name in enumerate(model.label_names):
        area = roc_auc_score(labels[f"label.{name}"], said[:, column])
        assert area > (0.95 if mode == "full" else 0.7), name
    moved = model.encoder.convnet.stem[0].conv.weight - load_encoder(data / "encoder").convnet.stem[0].conv.weight
    assert bool(moved.any()) == (mode == "full")


def test_rates_fall_by_stage(data: Path) -> None:
    model = ECGModel(load_encoder(data / "encoder"), ["a"], "full")
    rates = {}
    for group in parameter_groups(model, FinetuneConfig(lr=1.0, head_lr=5.0, layer_decay=0.5)):
        rates |= dict.fromkeys(map(id, group["params"]), group["lr"])
    wanted = {
        "head.": 5.0,
        "encoder.convnet.stem.": 0.25,
        "encoder.convnet.layers.0.": 0.5,
        "encoder.convnet.layers.1.": 1.0,
    }
    for name, parameter in model.named_parameters():
        assert rates[id(parameter)] == next(rate for start, rate in wanted.items() if name.startswith(start)), name
