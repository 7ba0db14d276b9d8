"""HuBERT-ECG: what the authors' code gave for a small checkpoint that it wrote, and the published sizes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ecglfm
from ecglfm.cli import main
from ecglfm.config import LEADS, EncoderConfig, LoraConfig, UserError, load
from ecglfm.models.adapters import adapt, merge
from ecglfm.models.heads import ECGModel
from ecglfm.models.importers import build_encoder, convert, hubert_ecg
from ecglfm.models.importers.checkpoint import Checkpoint, read_checkpoint


@pytest.fixture(scope="module")
def folder(peers: Path) -> Path:
    return peers / "hubert-ecg"


@pytest.fixture
def checkpoint(folder: Path) -> Checkpoint:
    return read_checkpoint(folder)


def joined_input(folder: Path) -> tuple[torch.Tensor, Any]:
    """What the authors' model is called with, by lead again: (2, 12, 500)."""
    saved = np.load(folder / "small.npz")
    return torch.from_numpy(saved["input"]).view(2, 12, 500), saved


def close(found: torch.Tensor, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-4 * expected.std())


def test_frames_and_embedding(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-checkpoint", str(folder), "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "HuBERT-ECG, pretrained: 2 layers of width 64" in said
    assert "left out, needed to pretrain only: final_proj.0.bias, final_proj.0.weight, label_embedding.0.weight" in said
    encoder = ecglfm.load_encoder(tmp_path)
    x, saved = joined_input(folder)
    with torch.inference_mode():
        close(encoder(x), saved["frames"])
        close(encoder.embed(x), saved["embedding"])
        close(encoder.embed(x, torch.ones(2, 500, dtype=torch.bool)), saved["embedding"])
    assert (encoder.leads, encoder.sampling_rate, encoder.crop_samples) == (list(LEADS), 100, 500)
    assert encoder.frames(500) == 93
    config = load(EncoderConfig, tmp_path / "encoder.yaml")
    about = json.loads((tmp_path / "encoder.json").read_text())
    assert config.model.joined
    assert config.licence == about["imported"]["licence"] == "CC BY-NC 4.0"
    assert {"ptbxl", "mimic_iv_ecg", "code"} <= set(config.pretrained_on)
    assert about["name"] == "hubert-ecg"  # of the folder
    assert about["model"]["joined_leads"] is True


def test_a_shorter_record_is_as_it_is_alone(checkpoint: Checkpoint) -> None:
    """The real samples of all leads are joined: beside a longer record nothing changes."""
    encoder = build_encoder(convert(checkpoint), "small").double()
    x = torch.randn(3, 12, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    real = torch.arange(500) < torch.tensor([500, 333, 40])[:, None]
    with torch.inference_mode():
        frames, pooled = encoder(torch.where(real[:, None], x, torch.nan), real), encoder.embed(x, real)
        for row, length in enumerate([500, 333, 40]):
            alone = encoder(x[row : row + 1, :, :length])[0]
            assert len(alone) == encoder.frames(length)
            torch.testing.assert_close(frames[row, : len(alone)], alone, atol=1e-12, rtol=1e-12)
            assert not frames[row, len(alone) :].any()
            torch.testing.assert_close(pooled[row], alone.mean(0), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(
    ("size", "whole", "alone"), [("small", 30_468_992, None), ("base", 93_123_712, 92_798_080), ("large", 188_392_768, None)]
)  # fmt: skip
def test_the_published_sizes(folder: Path, size: str, whole: int, alone: int | None) -> None:
    shapes = json.loads((folder / f"state_full_{size}.json").read_text())
    layers, dim, heads = {"small": (8, 512, 8), "base": (12, 768, 12), "large": (16, 960, 16)}[size]
    settings = json.loads((folder / "config.json").read_text()) | {"num_attention_heads": heads}
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in shapes.items()}
        imported = hubert_ecg.convert(Checkpoint(Path("full.safetensors"), settings, state))
    assert sum(value.numel() for value in state.values()) == whole
    pretraining = sum(value.numel() for value in imported.objective.values())
    if alone is not None:
        assert whole - pretraining == alone
    # Lengths and directions became one kernel, and five convolutions got biases of zero.
    encoder = sum(value.numel() for value in imported.encoder.values())
    assert encoder == whole - pretraining - 128 + 5 * 512
    assert imported.model == {
        "kind": "wav2vec2", "layers": layers, "dim": dim, "ffn_dim": 4 * dim, "heads": heads, "conv_channels": 512,
        "conv_layers": [[10, 4], [3, 2], [3, 2], [2, 2], [2, 2]], "dropout": 0.1, "positional_kernel": 128,
        "positional_groups": 16, "joined_leads": True, "projection": True,
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["full", "frozen", "linear", "lora"])
def test_every_mode_learns(checkpoint: Checkpoint, mode: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(convert(checkpoint), "small").requires_grad_(True)
    model = ECGModel(encoder, ["a", "b"], mode)
    if mode == "lora":
        adapt(encoder, LoraConfig())
    x, y = torch.randn(4, 12, 500), torch.tensor([[0.0, 1], [1, 0], [1, 1], [0, 0]])
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=0.003)
    model.train()
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]
    if mode == "lora":
        model.eval()
        with torch.inference_mode():
            before = model(x)
            merge(encoder)
            torch.testing.assert_close(model(x), before, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "state", "message"),
    [
        (None, {}, "no settings with it; put config.json, which was published with it, into its folder"),
        ({"model_type": "hubert"}, {}, "its config.json says model_type 'hubert'; only 'hubert_ecg' is known"),
        ({"do_stable_layer_norm": True}, {}, "says do_stable_layer_norm True; only False is known"),
        ({"conv_stride": [4, 2]}, {}, "has 5 convolutions, but its config.json says conv_stride [4, 2]"),
        ({"conv_stride": [4, 2, 2, 2, 0]}, {}, "has 5 convolutions, but its config.json says conv_stride [4, 2, 2, 2, 0]"),
        ({"num_attention_heads": 7}, {}, "dim 64 is not an even multiple of heads 7"),
        ({"num_attention_heads": "many"}, {}, "architecture: model.heads"),
        ({"num_attention_heads": None}, {}, "architecture: model.heads"),
        ({}, {"encoder.layers.9.feed_forward.intermediate_dense.weight": torch.ones(1, 1)}, "not numbered from 0"),
        ({}, {"encoder.layers.0.adapter.weight": torch.ones(1)}, "1 unknown: encoder.layers.0.adapter.weight"),
        ({}, {"feature_projection.projection.bias": None}, "1 missing: feature_projection.projection.bias"),
        (
            {},
            {hubert_ecg._POSITIONAL + "parametrizations.weight.original0": None},
            "weight 'encoder.pos_conv_embed.conv.parametrizations.weight.original0' is missing",
        ),
    ],
)  # fmt: skip
def test_another_file_is_one_line(checkpoint: Checkpoint, settings: dict | None, state: dict, message: str) -> None:
    changed = replace(
        checkpoint,
        path=Path("a.pt") if settings is None else checkpoint.path,
        config={} if settings is None else checkpoint.config | settings,
        state={name: value for name, value in (checkpoint.state | state).items() if value is not None},
    )
    with pytest.raises(UserError) as error:
        convert(changed)
    assert str(error.value).startswith(f"{changed.path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_classifier_is_told_as_one(checkpoint: Checkpoint) -> None:
    state = {f"hubert_ecg.{name}": value for name, value in checkpoint.state.items()}
    with pytest.raises(UserError, match="a classifier on a HuBERT-ECG, which is not read; take the pretrained encoder"):
        convert(replace(checkpoint, state=state | {"classifier.weight": torch.ones(3, 64)}))


class HuBERTECGConfig:
    """Stands for the authors' class, an object of which their `.pt` files hold."""


def test_a_pickled_config_is_refused_with_what_to_take_instead(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {"model_config": HuBERTECGConfig(), "model_state_dict": read_checkpoint(folder).state}
    torch.save(content, tmp_path / "hubert_ecg_small.pt")
    assert main(["import-checkpoint", str(tmp_path / "hubert_ecg_small.pt"), "--output", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.endswith(
        "test_hubert_ecg.HuBERTECGConfig, which no checkpoint of weights needs; refused, and nothing ran; take "
        "model.safetensors with config.json, which hold data only\n"
    )
    # The same weights without that object are read, and want their settings.
    torch.save({"model_state_dict": content["model_state_dict"]}, tmp_path / "plain.pt")
    with pytest.raises(UserError, match=r"plain.pt: no settings with it; put config.json"):
        convert(read_checkpoint(tmp_path / "plain.pt"))
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(UserError, match=r"plain.pt: the config.json beside it holds no settings by name, but a list"):
        convert(read_checkpoint(tmp_path / "plain.pt"))
    shutil.copy(folder / "config.json", tmp_path)
    assert convert(read_checkpoint(tmp_path / "plain.pt")).model == convert(read_checkpoint(folder)).model


def test_every_container_holds_the_same(checkpoint: Checkpoint, folder: Path, tmp_path: Path) -> None:
    """What laboratories save: below a key, bare, Lightning's; all give the weights of the hub's file."""
    for number, content in enumerate(
        [
            *({holder: checkpoint.state} for holder in ("model", "state_dict", "model_state_dict", "encoder")),
            checkpoint.state,
            {"state_dict": checkpoint.state, "epoch": 3, "global_step": 9, "hyper_parameters": {"lr": 0.1}},
        ]
    ):
        torch.save(content, tmp_path / f"{number}.pt")
        found = read_checkpoint(tmp_path / f"{number}.pt").state
        assert found.keys() == checkpoint.state.keys()
        assert all(torch.equal(found[name], value) for name, value in checkpoint.state.items())
    shutil.copy(folder / "model.safetensors", tmp_path / "renamed.safetensors")
    assert read_checkpoint(tmp_path / "renamed.safetensors").state.keys() == checkpoint.state.keys()
