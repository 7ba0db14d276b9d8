"""EchoNext, MERL's ResNet and CODE's network for age: what the authors' code gave for weights that it wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import ecglfm
from ecglfm.cli import main
from ecglfm.config import EncoderConfig, UserError, load
from ecglfm.models.importers import resnet
from ecglfm.models.importers.checkpoint import Checkpoint, read_checkpoint
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.provenance import read_json
from tests.unit.models.importers.recipe import drawn


def check(found: torch.Tensor, expected: np.ndarray, *, deviation: float | None = None) -> None:
    limit = 1e-4 * (expected.std() if deviation is None else deviation)
    np.testing.assert_allclose(found.numpy().reshape(expected.shape), expected, atol=limit, rtol=0)


def imported(path: Path, output: Path, *options: str) -> ecglfm.Encoder:
    assert main(["import-checkpoint", str(path), "--output", str(output), *options]) == 0
    return ecglfm.load_encoder(output)


def numbers_of(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def check_echonext(encoder: ecglfm.Encoder, saved: dict[str, np.ndarray], head: dict[str, torch.Tensor]) -> None:
    """Frames, vector, and with the numbers that its head reads beside it the outputs of that."""
    with torch.inference_mode():
        x = torch.from_numpy(saved["input"][:, 0]).transpose(1, 2)
        check(encoder(x), saved["frames"])
        vectors = encoder.embed(x)
        check(vectors, np.concatenate([saved["mean"], saved["max"]], axis=1))
        both = torch.cat([vectors, torch.from_numpy(saved["tabular"]).float()], dim=1)
        logits = both @ head["output.weight"].T + head["output.bias"]
        check(logits, saved["logits"], deviation=float(vectors.std()))


def test_echonext(peers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = peers / "echonext/weights.pt"
    encoder, said = imported(path, tmp_path / "out"), capsys.readouterr().out
    check_echonext(encoder, np.load(peers / "echonext/small.npz"), read_checkpoint(path).state)
    assert "EchoNext: 4 stages of width 64, " in said
    assert "left out, never used: output.bias, output.weight" in said
    assert "of 7 more numbers (sex, age, intervals), which no model of ours reads" in said
    assert (encoder.dim, encoder.embedding_dim, encoder.sampling_rate, encoder.crop_samples) == (64, 128, 250, 2500)
    assert load(EncoderConfig, tmp_path / "out/encoder.yaml").pretrained_on == ["echonext"]
    assert not (tmp_path / "out/model.json").exists()


def test_echonext_of_its_whole_size(peers: Path, tmp_path: Path) -> None:
    state = drawn(read_json(peers / "echonext/state_full.json"))
    torch.save({"model": state}, tmp_path / "weights.pt")
    encoder = imported(tmp_path / "weights.pt", tmp_path / "out")
    assert numbers_of(encoder) + 12 * 263 + 12 == 1_046_080
    assert encoder.embedding_dim == 256
    with torch.inference_mode():
        x = torch.from_numpy(np.load(peers / "echonext/small.npz")["input"][:, 0]).transpose(1, 2)
        assert encoder(x).shape == (2, 79, 128)
        check(encoder.embed(x), reference(state, x, shortcut="downsample", pooled=True).numpy())


def reference(state: dict[str, torch.Tensor], x: torch.Tensor, *, shortcut: str, pooled: bool) -> torch.Tensor:
    """Mean, and with max pooling the maximum joined, by the formula once more: PyTorch's functions and the file's names."""
    f = torch.nn.functional

    def normed(x: torch.Tensor, conv: str, norm: str, stride: int = 1) -> torch.Tensor:
        weight = state[f"{conv}.weight"].double()
        out = f.conv1d(x, weight, stride=stride, padding=weight.shape[2] // 2)
        mean, variance, scale, shift = (
            state[f"{norm}.{name}"].double() for name in ("running_mean", "running_var", "weight", "bias")
        )
        return f.batch_norm(out, mean, variance, scale, shift)

    x = normed(x.double(), "conv1", "bn1", 2).relu()
    if pooled:
        x = f.max_pool1d(x, 3, 2, 1)
    blocks = sorted(
        {tuple(name.split(".")[:2]) for name in state if name.startswith("layer")}, key=lambda b: (b[0], int(b[1]))
    )
    for stage, block in blocks:
        name, stride = f"{stage}.{block}", 2 if block == "0" and stage != "layer1" else 1
        inner = normed(x, f"{name}.conv1", f"{name}.bn1", stride).relu()
        if f"{name}.{shortcut}.0.weight" in state:
            x = normed(x, f"{name}.{shortcut}.0", f"{name}.{shortcut}.1", stride)
        x = (normed(inner, f"{name}.conv2", f"{name}.bn2") + x).relu()
    return torch.cat([x.mean(2), x.amax(2)], dim=1) if pooled else x.mean(2)


@pytest.mark.parametrize("form", ["encoder", "whole", "ranks"])
def test_merl_of_its_whole_size(peers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """The file of the encoder alone, and those that hold the text encoder, too: by one process and by several."""
    state = drawn(read_json(peers / "merl/state_full_resnet18.json"))
    prefix = {"encoder": "", "whole": "ecg_encoder.", "ranks": "module.ecg_encoder."}[form]
    content = {f"{prefix}{name}": value for name, value in state.items()}
    if prefix:
        others = ("downconv.weight", "att_pool_head.c_proj.bias", "linear1.weight", "lm_model.pooler.dense.weight")
        content |= {prefix.replace("ecg_encoder.", "") + name: torch.zeros(3) for name in others}
    path = tmp_path / "res18_best_encoder.pth"
    torch.save({"epoch": 3, "model_state_dict": content} if form == "ranks" else content, path)
    encoder, said = imported(path, tmp_path / "out"), capsys.readouterr().out
    assert numbers_of(encoder) == 3_848_832
    assert encoder.leads[4:6] == ["aVF", "aVL"]
    saved = np.load(peers / "merl/full_resnet18.npz")
    with torch.inference_mode():
        frames = encoder(torch.from_numpy(saved["input"]))
        assert list(frames.shape) == saved["frames_shape"].tolist()
        check(frames[0, :4], saved["first_frames"])
        check(encoder.pool(frames), saved["embedding"])
    assert "MERL, ResNet, pretrained: 4 stages of width 512, " in said
    assert ("lm_model.pooler.dense.weight" in said) == bool(prefix)


def check_code(folder: Path, saved: dict[str, np.ndarray], x: np.ndarray) -> ecglfm.Encoder:
    """Frames of the encoder, whose vector is their mean, and the age that the model says."""
    encoder, model = ecglfm.load_encoder(folder), ecglfm.load_model(folder)
    with torch.inference_mode():
        frames = encoder(torch.from_numpy(x))
        check(frames, saved["frames"])
        check(encoder.embed(torch.from_numpy(x)), saved["frames"].mean(axis=1))
        logits = model(torch.from_numpy(x))
        check(model.outputs(logits), saved["output"], deviation=float(saved["frames"].std()))
    assert (model.kind, model.label_names, model.embedding_dim) == ("regression", ["age"], 16 * encoder.dim)
    assert (encoder.sampling_rate, encoder.crop_samples, encoder.frames(4096)) == (400, 4096, 16)
    return encoder


@pytest.mark.parametrize("settings", [True, False])
def test_code(peers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: bool) -> None:
    for name in ["model.pth", "config.json"][: 1 + settings]:
        shutil.copy(peers / "code-resnet" / name, tmp_path)
    imported(tmp_path / "model.pth", tmp_path / "out")
    said = capsys.readouterr().out
    assert "CODE, ResNet for age: 5 stages of width 40, " in said
    saved = np.load(peers / "code-resnet/small.npz")
    encoder = check_code(tmp_path / "out", saved, saved["input"])
    assert encoder.config.dropout == 0.8
    assert load(EncoderConfig, tmp_path / "out/encoder.yaml").pretrained_on == ["code85"]


def test_code_of_its_whole_size(peers: Path, tmp_path: Path) -> None:
    torch.save({"epoch": 1, "model": drawn(read_json(peers / "code-resnet/state_full.json"))}, tmp_path / "model.pth")
    encoder = imported(tmp_path / "model.pth", tmp_path / "out")
    saved, x = np.load(peers / "code-resnet/full.npz"), np.load(peers / "code-resnet/small.npz")["input"]
    check_code(tmp_path / "out", saved, x)
    assert numbers_of(encoder) == 6_919_584
    assert numbers_of(ecglfm.load_model(tmp_path / "out")) == 6_924_705


def test_what_an_encoder_reads_is_that_of_its_method(peers: Path) -> None:
    for path, method, licence in (
        ("echonext/weights.pt", "echonext", "none stated"), ("code-resnet/model.pth", "code", "MIT"),
    ):  # fmt: skip
        found = resnet.convert(read_checkpoint(peers / path))
        assert (found.input, found.licence) == (CONTRACTS[method], licence)
        contract = CONTRACTS[method]
        assert (found.leads, found.sampling_rate) == (contract["leads"], contract["sampling_rate"])
        assert found.crop_seconds == contract["window_seconds"]


def test_code_of_longer_segments_reads_those(peers: Path, tmp_path: Path) -> None:
    shutil.copy(peers / "code-resnet/model.pth", tmp_path)
    (tmp_path / "config.json").write_text('{"seq_length": 8192}')
    found = resnet.convert(read_checkpoint(tmp_path / "model.pth"))
    assert (found.crop_seconds, found.model["stem"]) == (20.48, [17, 2])
    assert found.input["window_seconds"] == found.input["record"][-1]["seconds"] == 20.48


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"net_seq_lengh": [4096, 1024, 256, 64]}, "unknown: resblock1d_4.conv1.weight, "),
        ({"net_seq_lengh": [1024, 256, 64, 16, 4]}, "are not those of whole strides, the first 1 or 2"),
        ({"net_seq_lengh": [4096, 1000, 250, 50, 10]}, "are not those of whole strides"),
        ({"net_seq_lengh": [4096, 2048, 512, 128, 32]}, "weight 'lin.weight' has shape (1, 640), expected (1, 1280)"),
        ({"seq_length": "long"}, "config.json: seq_length: "),
        ([], "config.json"),
    ],
)
def test_settings_that_are_not_those_of_the_weights(
    peers: Path, tmp_path: Path, settings: object, message: str
) -> None:
    shutil.copy(peers / "code-resnet/model.pth", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError) as error:
        resnet.convert(read_checkpoint(tmp_path / "model.pth"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, " " * 1_100_000])
def test_settings_that_are_none(peers: Path, tmp_path: Path, text: str) -> None:
    shutil.copy(peers / "code-resnet/model.pth", tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(
        UserError, match=r"model\.pth: the config\.json beside it (is not valid JSON|has 1,100,000 bytes)"
    ):
        resnet.convert(read_checkpoint(tmp_path / "model.pth"))


def test_other_files_are_refused(peers: Path) -> None:
    state = drawn(read_json(peers / "merl/state_full_resnet18.json"))
    checkpoint = Checkpoint(Path("a.pth"), {}, state | {"layer1.0.conv3.weight": torch.zeros(3)})
    with pytest.raises(
        UserError, match=r"a\.pth: its weights are not those of this method; 1 unknown: layer1\.0\.conv3"
    ):
        resnet.convert(checkpoint)
    del state["conv1.weight"]
    with pytest.raises(UserError, match=r"a\.pth: weight 'conv1\.weight' is missing"):
        resnet.convert(Checkpoint(Path("a.pth"), {}, state))
    assert not resnet.recognises(Checkpoint(Path("a.pth"), {}, {"layer1.0.conv1.weight": torch.zeros(3)}))
