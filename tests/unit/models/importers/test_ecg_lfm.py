"""Checkpoints of ECG-LFM: missing, unknown and dead weights, sizes without settings, labels, use in an encoder YAML."""

import re

import torch

from ecglfm import load_encoder
from ecglfm.config import (
    EncoderConfig,
    EncoderSlice,
    PreprocessConfig,
    load,
)
from ecglfm.models.importers import convert, import_checkpoint
from ecglfm.models.importers.checkpoint import read_checkpoint
from ecglfm.training.pretraining.pretrain import run_pretrain
from tests.unit.models.importers.original import DEAD, saved


def test_every_weight_finds_its_place(ours, theirs, tmp_path):
    imported = convert(read_checkpoint(saved(tmp_path / "a.pt", theirs)))
    found = {f"encoder.{name}": value for name, value in imported.encoder.items()} | imported.objective
    assert found.keys() == ours.keys()
    assert all(torch.equal(value, ours[name]) for name, value in found.items())
    assert imported.dropped == sorted(DEAD)
    assert "post_extract_proj.weight" not in theirs  # 16 channels, width 16


def test_dead_weights_need_not_be_there_and_halves_become_floats(ours, theirs, tmp_path):
    state = {name: value.half() for name, value in theirs.items() if name not in DEAD}
    imported = convert(read_checkpoint(saved(tmp_path / "a.pt", state)))
    assert imported.dropped == []
    assert {value.dtype for name, value in imported.encoder.items() if "num_batches" not in name} == {torch.float32}
    torch.testing.assert_close(imported.objective["mask_emb"], ours["mask_emb"], atol=1e-3, rtol=1e-3)


def test_settings_that_concern_the_input(finetuned, tmp_path):
    task = {"leads_to_load": "0, 1,6", "sample_rate": 250, "normalize": True}
    finetuned["encoder.feature_extractor.conv_layers.0.0.weight"] = torch.ones(16, 3, 2)
    path = saved(tmp_path / "a.pt", finetuned, cfg={"model": {}, "task": task})
    assert import_checkpoint(path, tmp_path / "out").unverified.startswith("trained on signals with normalize")
    encoder = load_encoder(tmp_path / "out")
    assert (encoder.leads, encoder.sampling_rate) == (["I", "II", "V1"], 250)
    assert (encoder.preprocess.leads, encoder.preprocess.sampling_rate) == (["I", "II", "V1"], 250)
    assert "# Unverified: trained on signals with normalize" in (tmp_path / "out" / "encoder.yaml").read_text()


def test_the_encoder_yaml_takes_the_weights(theirs, tmp_path):
    imported = import_checkpoint(saved(tmp_path / "a.pt", theirs), tmp_path / "out")
    config = load(EncoderConfig, tmp_path / "out" / "encoder.yaml")
    assert config.import_path == str(tmp_path / "out")
    slice_ = EncoderSlice(encoder="theirs", config=config, preprocess=PreprocessConfig())
    run_pretrain(slice_, manifest=tmp_path, signals=tmp_path, output=tmp_path / "run")
    encoder = load_encoder(tmp_path / "run")
    assert all(torch.equal(value, imported.encoder[name]) for name, value in encoder.state_dict().items())
    assert encoder.info["imported"]["origin"] == "ECG-LFM, pretrained"
    assert re.fullmatch("[0-9a-f]{64}", encoder.info["imported"]["sha256"])
