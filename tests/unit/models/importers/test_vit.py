"""ECG-JEPA, ST-MEM and MERL's ViT: what the authors' code gave for small checkpoints that it wrote."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ecglfm
from ecglfm.cli import main
from ecglfm.config import EncoderConfig, UserError, load
from ecglfm.models.encoders.patches import fixed_positions
from ecglfm.models.importers import build_encoder, vit
from ecglfm.models.importers.checkpoint import Checkpoint, read_checkpoint
from ecglfm.provenance import read_json
from tests.unit.models.importers.recipe import drawn


def check(found: torch.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found.numpy().reshape(expected.shape), expected, atol=1e-4 * expected.std(), rtol=0)


def imported(path: Path, output: Path, *options: str) -> ecglfm.Encoder:
    assert main(["import-checkpoint", str(path), "--output", str(output), *options]) == 0
    return ecglfm.load_encoder(output)


def test_ecg_jepa(peers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = np.load(peers / "ecg-jepa/small.npz")
    encoder = imported(peers / "ecg-jepa/multiblock_epoch100.pth", tmp_path / "out", "--heads", "4")
    said = capsys.readouterr().out
    assert "ECG-JEPA, pretrained: 2 layers of width 64" in said
    assert "\nlicence: MIT\n" in said
    with torch.inference_mode():
        x = torch.from_numpy(saved["input"])
        check(encoder(x), saved["frames"])
        check(encoder.embed(x), saved["embedding"])
        # positions and attention go on without the other leads
        whole = vit.convert(read_checkpoint(peers / "ecg-jepa/multiblock_epoch100.pth"))
        few = build_encoder(replace(whole, leads=whole.leads[:3], model=whole.model | {"heads": 4}), "few")
        check(few.embed(x[:, :3]), saved["embedding_leads_I_II_V1"])
    assert encoder.leads == ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert (encoder.sampling_rate, encoder.crop_samples, encoder.frames(2500)) == (250, 2500, 400)
    config = load(EncoderConfig, tmp_path / "out/encoder.yaml")
    assert config.pretrained_on == ["ecg_arrhythmia", "code15"]


def test_heads_of_a_width_that_the_published_number_does_not_divide(
    peers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = read_checkpoint(peers / "ecg-jepa/multiblock_epoch100.pth").state
    content = drawn({name: [{64: 120, 192: 360}.get(n, n) for n in value.shape] for name, value in small.items()})
    times, leads = (fixed_positions(torch.arange(count).float(), 60) for count in (50, 8))
    content["pos_embed"] = torch.cat([times.repeat(8, 1), leads.repeat_interleave(50, 0)], dim=1)
    torch.save({"encoder": content}, path := tmp_path / "wide.pth")
    encoder = imported(path, tmp_path / "out", "--heads", "6")
    assert (encoder.dim, read_json(tmp_path / "out/encoder.json")["model"]["heads"]) == (120, 6)
    capsys.readouterr()
    assert main(["import-checkpoint", str(path), "--output", str(tmp_path / "none")]) == 1
    assert "wide.pth: 120 wide, which the published 16 heads do not divide: say how many it has, --heads N" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("part", ["full", "encoder"])
def test_st_mem(peers: Path, tmp_path: Path, part: str) -> None:
    saved = np.load(peers / "st-mem/small.npz")
    encoder = imported(peers / f"st-mem/st_mem_vit_base_{part}.pth", tmp_path)
    with torch.inference_mode():
        x = torch.from_numpy(saved["input"])
        check(encoder(x), saved["frames"])
        check(encoder.embed(x), saved["embedding"])
        check(encoder.embed(x[:, :, :600]), saved["embedding_600_samples"])
    plain = vit.convert(read_checkpoint(peers / f"st-mem/st_mem_vit_base_{part}.pth"))
    assert plain.licence == "CC BY-NC 4.0"
    assert encoder.longest == 31 * 75 - 1
    assert bool(plain.dropped) == (part == "full")  # the decoder, and a second name of the embedding


def test_merl(peers: Path, tmp_path: Path) -> None:
    encoder = imported(peers / "merl/vit_tiny_best_encoder.pth", tmp_path)
    x = torch.from_numpy(np.load(peers / "merl/full_resnet18.npz")["input"])
    with torch.inference_mode():
        check(encoder.embed(x), np.load(peers / "merl/small_vit.npz")["embedding"])
    assert encoder.leads[4:6] == ["aVF", "aVL"]


def test_merl_of_its_whole_size(peers: Path) -> None:
    shapes = read_json(peers / "merl/state_full_vit_tiny.json")
    encoder = build_encoder(vit.convert(Checkpoint(Path("whole.pth"), {}, drawn(shapes))), "whole.pth")
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 5_473_152
    x = torch.from_numpy(np.load(peers / "merl/full_resnet18.npz")["input"])
    with torch.inference_mode():
        check(encoder.embed(x), np.load(peers / "merl/full_vit_tiny.npz")["embedding"])


@pytest.mark.parametrize(("name", "numbers"), [("ecg-jepa", 85_067_520), ("st-mem", 85_150_614)])
def test_the_published_sizes_come_out(peers: Path, name: str, numbers: int) -> None:
    shapes = read_json(peers / name / "state_full.json")
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    if name == "ecg-jepa":  # whose table is looked at
        times, leads = (fixed_positions(torch.arange(count).float(), 384) for count in (50, 8))
        state["pos_embed"] = torch.cat([times.repeat(8, 1), leads.repeat_interleave(50, 0)], dim=1)
    found = vit.convert(Checkpoint(Path("whole.pth"), {}, state))
    assert sum(value.numel() for value in found.encoder.values()) == numbers
    assert found.model["heads"] == {"ecg-jepa": 16, "st-mem": 12}[name]


def test_other_files_are_refused(peers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = torch.load(peers / "ecg-jepa/multiblock_epoch100.pth", weights_only=True)
    for change, message in (
        ({"pos_embed": content["encoder"]["pos_embed"] + 0.01}, "'pos_embed' is not the table of sines"),
        ({"W_Q.weight": torch.ones(3)}, "1 unknown: W_Q.weight"),
        ({"encoder_blocks.blocks.7.mlp.fc1.weight": torch.ones(3, 3)}, "its layers are not numbered from 0"),
    ):
        torch.save({"encoder": content["encoder"] | change, "epoch": 99}, tmp_path / "a.pth")
        with pytest.raises(UserError, match=message):
            vit.convert(read_checkpoint(tmp_path / "a.pth"))
    shutil.copy(peers / "merl/vit_tiny_best_encoder.pth", tmp_path / "merl.pth")
    assert main(["import-checkpoint", str(tmp_path / "merl.pth"), "--output", str(tmp_path / "o"), "--heads", "4"]) == 1
    assert "--heads 4: " in (said := capsys.readouterr().err)
    assert "merl.pth says itself how many there are; leave it out" in said
