"""ECG-CPC and the supervised S4 of its benchmark: small checkpoints of the authors' own code give what that gave."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ecglfm
from ecglfm.config import LEADS, EncoderConfig, UserError, load
from ecglfm.models.importers import build_encoder, convert, import_checkpoint
from ecglfm.models.importers.checkpoint import Checkpoint, read_checkpoint

PRETRAINED, SUPERVISED = "last_11597276.ckpt", "s4_supervised_small.pt"
LAYER = "ts_encoder.predictor.predictor.s4_layers.1."


@pytest.fixture(scope="module")
def folder(peers: Path) -> Path:
    return peers / "ecg-cpc"


@pytest.fixture
def pretrained(folder: Path) -> Checkpoint:
    return read_checkpoint(folder / PRETRAINED)


def close(found: torch.Tensor, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-4 * expected.std())


def test_frames_and_embeddings_of_every_length(folder: Path, tmp_path: Path) -> None:
    """As long as the kernels (2,400 samples), a quarter of it, and longer, where the authors double them."""
    import_checkpoint(folder / PRETRAINED, tmp_path)
    encoder, saved = ecglfm.load_encoder(tmp_path), np.load(folder / "small.npz")
    x = torch.from_numpy(saved["input"])
    with torch.inference_mode():
        close(encoder(x), saved["frames"])
        close(encoder.embed(x), saved["embedding"])
        close(encoder(x[:, :, :600]), saved["frames_600"])
        close(encoder.embed(x[:, :, :600]), saved["embedding_600"])
        close(encoder.embed(torch.cat([x, x[:, :, :360]], 2)), saved["embedding_2760"])


def test_the_supervised_one_is_a_model(folder: Path, tmp_path: Path) -> None:
    imported = import_checkpoint(folder / SUPERVISED, tmp_path)
    model, saved = ecglfm.load_model(tmp_path), np.load(folder / "s4_supervised_small.npz")
    with torch.inference_mode():
        close(model(torch.from_numpy(saved["input"])), saved["logits"])
    assert model.label_names == [f"label_{number}" for number in range(5)]
    assert (imported.sampling_rate, imported.crop_seconds) == (100, 2.5)
    assert imported.model == {
        "kind": "s4", "layers": 2, "dim": 32, "state": 8, "bidirectional": True, "conv_layers": [],
        "kernel_frames": 250, "dropout": 0.2,
    }  # fmt: skip


@pytest.mark.slow
def test_the_published_size(folder: Path) -> None:
    """Weights of the fixtures' recipe in the full shapes: the authors' embedding of the same recordings."""
    shapes = json.loads((folder / "state_full.json").read_text())
    saved, small = np.load(folder / "full.npz"), np.load(folder / "small.npz")
    fixed = read_checkpoint(folder / PRETRAINED).state
    state = {}
    for key, shape in shapes.items():
        numbers = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
        last = key.rpartition(".")[2]
        if key in saved.files:
            numbers = saved[key]
        elif last in ("omega", "z"):  # of the same kernels
            numbers = fixed[key.replace("s4_layers.2", "s4_layers.0").replace("s4_layers.3", "s4_layers.0")].numpy()
        elif last in ("C", "D"):
            numbers = 0.5 * numbers
        elif last == "running_mean":
            numbers = 0.1 * numbers
        elif last == "running_var":
            numbers = np.exp(0.2 * numbers)
        elif len(shape) >= 2:
            numbers = numbers / np.sqrt(np.prod(shape[1:]))
        else:
            numbers = 1 + 0.1 * numbers if last == "weight" else 0.1 * numbers
        whole = last == "num_batches_tracked"
        state[key] = torch.tensor(0) if whole else torch.from_numpy(np.asarray(numbers, np.float32))
    encoder = build_encoder(convert(Checkpoint(Path("full.ckpt"), {}, state)), "full.ckpt")
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 2_932_736
    with torch.inference_mode():
        frames = encoder(torch.from_numpy(small["input"]))
    assert list(frames.shape) == saved["frames_shape"].tolist()
    close(frames.mean(1), saved["embedding"])
    close(frames[0, :4], saved["first_frames"])


def test_the_supervised_one_of_the_published_size(folder: Path) -> None:
    """2,183,239 numbers that learn, with 71 labels; kernels as long as the small one's."""
    shapes = json.loads((folder / "state_full_s4_supervised.json").read_text())
    small = read_checkpoint(folder / SUPERVISED).state
    roots = small["s4_layers.0.kernel.kernel.omega"]
    state = {key: roots if key.endswith("omega") else torch.empty(shape) for key, shape in shapes.items()}
    imported = convert(Checkpoint(Path("full.pt"), {}, state))
    assert (imported.model["layers"], imported.model["dim"], len(imported.head["bias"])) == (4, 512, 71)
    learnt = sum(parameter.numel() for parameter in build_encoder(imported, "full.pt").parameters())
    assert learnt + sum(value.numel() for value in imported.head.values()) == 2_183_239


def test_what_is_read_off_the_file(pretrained: Checkpoint, folder: Path, tmp_path: Path) -> None:
    imported = convert(pretrained)
    assert imported.model == {
        "kind": "s4", "layers": 2, "dim": 32, "state": 8, "bidirectional": False,
        "conv_layers": [[3, 2], [1, 1], [1, 1], [1, 1]], "kernel_frames": 1200, "dropout": 0.2,
    }  # fmt: skip
    assert (imported.sampling_rate, imported.crop_seconds, imported.leads) == (240, 10.0, list(LEADS))
    assert (imported.origin, imported.licence) == ("ECG-CPC, pretrained", "none stated")
    assert [*imported.objective] == ["ts_encoder.head_ssl.proj.0.weight"]
    assert "240 Hz is the published one" in imported.unverified
    import_checkpoint(folder / PRETRAINED, tmp_path)
    written = load(EncoderConfig, tmp_path / "encoder.yaml")
    assert (written.model.kind, written.pretrained_on) == ("s4", ["heedb"])
    assert (written.input.sampling_rate, written.input.window_seconds) == (240, 10.0)


def test_kernels_of_an_odd_length(pretrained: Checkpoint) -> None:
    """1200 and 1201 have as many rows: what tells them apart is the first root of unity."""
    state = dict(pretrained.state)
    for name in [name for name in state if name.endswith("omega")]:
        angle = 2 * np.pi * np.arange(601) / 1201
        state[name] = torch.tensor(np.stack([np.cos(angle), -np.sin(angle)], 1), dtype=torch.float32)
    assert convert(replace(pretrained, state=state)).model["kernel_frames"] == 1201


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {LAYER + "kernel.kernel.omega": torch.ones(601, 2)},
            "kernel.kernel.omega has 601 rows, which are not the roots",
        ),
        ({LAYER + "kernel.kernel.omega": "cut"}, "its layers have kernels of different lengths: [10, 1200]"),
        ({LAYER + "D": None}, f"1 missing: {LAYER}D"),
        ({LAYER + "kernel.kernel.P": torch.ones(2, 32, 4, 2)}, "has shape (2, 32, 4, 2), expected (32, 4, 2)"),
        ({"ts_encoder.encoder.layers.9.0.weight": torch.ones(1)}, "ts_encoder.encoder.layers.4.0.weight' is missing"),
        ({LAYER + "extra": torch.ones(1)}, f"1 unknown: {LAYER}extra"),
    ],
)
def test_another_file_is_one_line(pretrained: Checkpoint, change: dict, message: str) -> None:
    state = dict(pretrained.state)
    angle = 2 * np.pi * np.arange(6) / 10
    for name, value in change.items():
        if value is None:
            del state[name]
        else:
            short = torch.tensor(np.stack([np.cos(angle), -np.sin(angle)], 1))
            state[name] = short if isinstance(value, str) else value
    with pytest.raises(UserError) as error:
        convert(replace(pretrained, state=state))
    assert str(error.value).startswith(f"{pretrained.path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
