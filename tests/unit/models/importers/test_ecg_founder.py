"""ECGFounder: what the authors' code gave for a small checkpoint, and formulas once more for the published size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import ecglfm
from ecglfm.cli import main
from ecglfm.config import LEADS, EncoderConfig, InputConfig, UserError, load, parse
from ecglfm.models.importers import build_encoder, ecg_founder
from ecglfm.models.importers.checkpoint import Checkpoint, read_checkpoint
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.provenance import read_json
from ecglfm.records import Record
from tests.unit.models.importers.recipe import drawn

FILE = "ecgfounder/12_lead_ECGFounder.pth"
BLOCK = "stage_list.0.block_list.0."


def check(found: Tensor, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4 * expected.std(), rtol=0)


def imported(path: Path, output: Path, *options: str) -> None:
    assert main(["import-checkpoint", str(path), "--output", str(output), *options]) == 0


def test_frames_embedding_and_logits(peers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(peers / FILE, tmp_path)
    said = capsys.readouterr().out
    assert "ECGFounder, 12 leads: 7 stages of width 64" in said
    assert "left out, never used: first_bn.bias, first_bn.num_batches_tracked," in said
    assert " and 299 more\nlicence: MIT\n" in said
    saved = np.load(peers / "ecgfounder/small.npz")
    encoder, model = ecglfm.load_encoder(tmp_path), ecglfm.load_model(tmp_path)
    with torch.inference_mode():
        x = torch.from_numpy(saved["input"])
        check(encoder(x), saved["frames"])
        check(encoder.embed(x), saved["embedding"])
        check(model(x), saved["logits"])
        check(encoder.embed(torch.from_numpy(saved["odd_input"])), saved["odd_embedding"])
        # beside a longer one it is as alone
        odd = torch.zeros(1, 12, 5000)
        odd[:, :, :1234] = torch.from_numpy(saved["odd_input"])
        mask = torch.arange(5000)[None] < 1234
        check(encoder.embed(odd, mask), saved["odd_embedding"])
    assert (encoder.leads, encoder.sampling_rate, encoder.crop_samples) == (list(LEADS), 500, 5000)
    assert model.label_names == [f"label_{number}" for number in range(150)]
    assert read_json(tmp_path / "encoder.json")["model"] == {
        "kind": "net1d", "dim": 64, "stem": 16, "widths": [16, 32, 32, 48, 48, 64, 64], "blocks": [2, 2, 2, 3, 3, 4, 4],
        "kernel": 16, "stride": 2, "group_width": 16, "ratio": 1.0, "norm": "none", "norm_sync": False, "dropout": 0.0,
    }  # fmt: skip
    assert load(EncoderConfig, tmp_path / "encoder.yaml").pretrained_on == ["heedb"]


def test_from_millivolts_to_the_authors_logits(peers: Path, tmp_path: Path) -> None:
    """Filters, median and z-score over all leads are made on the way."""
    imported(peers / FILE, tmp_path)
    encoder, model = ecglfm.load_encoder(tmp_path), ecglfm.load_model(tmp_path)
    saved = np.load(peers / "ecgfounder/small.npz")
    windows = [
        ecglfm.preprocess(Record(mv.T, LEADS, 500), encoder) for mv in np.load(peers / "raw.npz")["mv"].astype(float)
    ]
    assert [window.shape for window in windows] == [(1, 12, 5000)] * 2
    with torch.inference_mode():
        check(encoder.embed(torch.cat(windows)), saved["embedding"])
        check(model(torch.cat(windows)), saved["logits"])


def by_hand(state: dict[str, Tensor], x_bct: Tensor) -> Tensor:
    """Logits by the published formulas, with padding from each length."""

    def convolution(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight, bias = state[f"{name}.conv.weight"], state[f"{name}.conv.bias"]
        zeros = max(0, (-(-x.shape[2] // stride) - 1) * stride + weight.shape[2] - x.shape[2])
        padded = functional.pad(x, (zeros // 2, zeros - zeros // 2))
        return functional.conv1d(padded, weight, bias, stride, groups=x.shape[1] // weight.shape[1])

    def swish(x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)

    x = swish(convolution(x_bct, "first_conv", 2))
    for stage in range(7):
        for number in range(sum(f"stage_list.{stage}.block_list.{k}.conv1.conv.bias" in state for k in range(9))):
            name, stride = f"stage_list.{stage}.block_list.{number}.", 1 if number else 2
            out = x if (stage, number) == (0, 0) else swish(x)
            out = convolution(swish(convolution(out, name + "conv1")), name + "conv2", stride)
            out = convolution(swish(out), name + "conv3")
            factor = out.mean(2) @ state[name + "se_fc1.weight"].T + state[name + "se_fc1.bias"]
            factor = swish(factor) @ state[name + "se_fc2.weight"].T + state[name + "se_fc2.bias"]
            beside = functional.max_pool1d(functional.pad(x, (0, 1)), 2) if stride == 2 else x
            more = torch.zeros(len(x), out.shape[1] - x.shape[1], beside.shape[2])
            half = more.shape[1] // 2
            x = torch.cat([more[:, :half], beside, more[:, half:]], dim=1) + out * torch.sigmoid(factor)[:, :, None]
    return x.mean(2) @ state["dense.weight"].T + state["dense.bias"]


@pytest.mark.slow
def test_the_published_size(peers: Path) -> None:
    """The formulas agree with the authors' code on the small one, and with ours on the weights of the whole."""
    saved = np.load(peers / "ecgfounder/small.npz")
    with torch.inference_mode():
        x = torch.from_numpy(saved["input"])
        check(by_hand(read_checkpoint(peers / FILE).state, x), saved["logits"])
        shapes = read_json(peers / "ecgfounder/state_full.json")
        state = drawn(shapes)
        assert sum(value.numel() for name, value in state.items() if "running_" not in name and "num_" not in name) == (
            30_819_014
        )
        found = ecg_founder.convert(Checkpoint(Path("whole.pth"), {}, state))
        encoder = build_encoder(found, "whole.pth")
        assert sum(value.numel() for value in encoder.parameters()) == 30_819_014 - 150 * 1025 - 66_368
        vectors = encoder.embed(x[:, :, :2001])
        expected = by_hand(state, x[:, :, :2001])
        check(vectors @ found.head["weight"].T + found.head["bias"], expected.numpy())
        assert encoder(torch.randn(1, 12, 3001)).isfinite().all()


def test_the_one_lead_file(peers: Path, tmp_path: Path) -> None:
    content = torch.load(peers / FILE, weights_only=True)
    name = "first_conv.conv.weight"
    content["state_dict"][name] = content["state_dict"][name][:, :1].clone()
    torch.save(content, tmp_path / "1_lead_ECGFounder.pth")
    imported(tmp_path / "1_lead_ECGFounder.pth", tmp_path / "out")
    contract = ecg_founder.convert(read_checkpoint(tmp_path / "1_lead_ECGFounder.pth")).input
    assert parse(InputConfig, contract, "input").leads == ["I"]
    encoder = ecglfm.load_encoder(tmp_path / "out")
    assert encoder.leads == ["I"]
    x = torch.randn(2, 1, 1500)
    with torch.inference_mode():
        check(ecglfm.load_model(tmp_path / "out")(x), by_hand(content["state_dict"], x).numpy())
    # what a device of one lead records is enough
    mv = np.load(peers / "raw.npz")["mv"][0].astype(float)
    alone, among = (
        ecglfm.preprocess(record, encoder) for record in (Record(mv[:1].T, ("I",), 500), Record(mv.T, LEADS, 500))
    )
    assert torch.equal(alone, among)


def test_one_that_was_fine_tuned_has_its_own_labels(peers: Path, tmp_path: Path) -> None:
    """`tasks.txt` beside it, a name a line and no header; a name may have a comma."""
    content = torch.load(peers / FILE, weights_only=True)
    for part in ("weight", "bias"):
        content["state_dict"][f"dense.{part}"] = content["state_dict"][f"dense.{part}"][:2].clone()
    torch.save(content, tmp_path / "tuned.pth")
    (tmp_path / "tasks.txt").write_text("NORMAL SINUS RHYTHM\nST ELEVATION, CONSIDER INJURY\n\n")
    imported(tmp_path / "tuned.pth", tmp_path / "out", "--labels", str(tmp_path / "tasks.txt"))
    names = ecglfm.load_model(tmp_path / "out").label_names
    assert names == ["NORMAL SINUS RHYTHM", "ST ELEVATION, CONSIDER INJURY"]


def test_without_a_classifier_it_is_an_encoder(peers: Path) -> None:
    checkpoint = read_checkpoint(peers / FILE)
    state = {name: value for name, value in checkpoint.state.items() if not name.startswith("dense.")}
    found = ecg_founder.convert(Checkpoint(checkpoint.path, {}, state))
    assert found.input == CONTRACTS["ecg-founder"]
    assert (found.head, len(found.dropped)) == ({}, 5 * (1 + 3 * 20))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({BLOCK + "bn4.weight": torch.ones(3)}, f"1 unknown: {BLOCK}bn4.weight"),
        ({BLOCK + "bn1.weighted": torch.ones(3)}, f"1 unknown: {BLOCK}bn1.weighted"),
        ({"module.dense.bias": torch.ones(150)}, "1 unknown: module.dense.bias"),
        ({"dense.bias": None}, "1 missing: dense.bias"),
        ({BLOCK + "se_fc2.bias": None}, f"1 missing: {BLOCK}se_fc2.bias"),
        ({BLOCK + "conv1.conv.weight": torch.ones(16, 16, 3)}, r"conv1.conv.weight' has shape \(16, 16, 3\), expected"),
        ({"stage_list.9.block_list.0.conv2.conv.weight": torch.ones(1)}, "its stages are not numbered from 0"),
        (
            {"first_conv.conv.weight": torch.ones(16, 3, 16)},
            "reads 3 leads; ECGFounder is known with twelve, and with I",
        ),
    ],
)
def test_another_file_is_one_line(peers: Path, change: dict, message: str) -> None:
    checkpoint = read_checkpoint(peers / FILE)
    state = {name: value for name, value in (checkpoint.state | change).items() if value is not None}
    with pytest.raises(UserError, match=message) as error:
        ecg_founder.convert(Checkpoint(checkpoint.path, {}, state))
    assert "\n" not in str(error.value)
