"""Net1D learns in every mode what that mode lets learn; rates fall by stage."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ecglfm import load_encoder, load_model
from ecglfm.config import FinetuneConfig, PreprocessConfig
from ecglfm.data.samples.dataset import Signals
from ecglfm.models.bundle import save_encoder
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.training.finetuning.supervised import parameter_groups
from ecglfm.training.inference import predict
from tests.unit.architectures import small
from tests.unit.training.finetuning.test_finetune import LEADS, RATE, fit, make_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = make_data(tmp_path_factory.mktemp("net1d"))
    torch.manual_seed(0)
    preprocess = PreprocessConfig(sampling_rate=RATE, leads=LEADS)
    encoder = make_encoder(small("net1d", dropout=0.0, norm="none"), LEADS, RATE, preprocess, 2.5)
    save_encoder(folder / "encoder", encoder, {"name": "net1d", "weights": "import"})
    return folder


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_planted_labels_are_learnt_from_scratch(data: Path, tmp_path: Path, norm: str) -> None:
    torch.manual_seed(0)
    preprocess = PreprocessConfig(sampling_rate=RATE, leads=LEADS)
    encoder = make_encoder(small("net1d", dropout=0.0, norm=norm), LEADS, RATE, preprocess, 2.5)
    save_encoder(tmp_path / "encoder", encoder, {"name": "net1d", "weights": "random"})
    fit(data, tmp_path, encoder=tmp_path / "encoder", epochs=8, lr=1e-2, head_lr=3e-2)
    model = load_model(tmp_path)
    records = pd.read_parquet(data / "records.parquet").query("split == 'test'").reset_index(drop=True)
    labels = pd.read_parquet(data / "labels.parquet").set_index("record_id").loc[records["record_id"]]
    said = predict(model, Signals(records, data / "preprocess"))
    for column, name in enumerate(model.label_names):
        assert roc_auc_score(labels[f"label.{name}"], said[:, column]) > 0.95, name


@pytest.mark.parametrize("mode", ["full", "frozen", "linear", "lora"])
def test_every_mode_moves_its_weights(data: Path, tmp_path: Path, mode: str) -> None:
    made = fit(data, tmp_path, f"{mode}-s0", epochs=1, layer_decay=0.5, freeze_frontend=True)
    before, after = load_encoder(data / "encoder").state_dict(), made.encoder.cpu().state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    linears = {f"net1d.layers.{place}.{name}.weight" for place in ("0.0", "0.1", "1.0")
               for name in ("narrow", "wide", "squeeze", "excite")}  # fmt: skip
    assert moved == {"full": set(before), "lora": linears}.get(mode, set())


def test_rates_fall_by_stage(data: Path) -> None:
    model = ECGModel(load_encoder(data / "encoder"), ["a"], "full")
    rates = {}
    for group in parameter_groups(model, FinetuneConfig(lr=1.0, head_lr=5.0, layer_decay=0.5)):
        rates |= dict.fromkeys(map(id, group["params"]), group["lr"])
    wanted = {"head.": 5.0, "encoder.net1d.stem.": 0.25, "encoder.net1d.layers.0.": 0.5, "encoder.net1d.layers.1.": 1.0}
    for name, parameter in model.named_parameters():
        assert rates[id(parameter)] == next(rate for start, rate in wanted.items() if name.startswith(start)), name
