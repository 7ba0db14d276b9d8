"""Time by hand, products against the formula that counts them from the config, and the table of docs/performance.md."""

from __future__ import annotations

import re

import pytest
import torch

from ecglfm.benchmark.gpu.roofline import GPUS, LAUNCH, Step, count
from ecglfm.benchmark.gpu.traffic import Operation
from ecglfm.benchmark.training.flops import PASSES, forward_flops
from ecglfm.cli import main
from ecglfm.config import EncoderConfig, EncoderSlice, InputConfig, PreprocessConfig, load

COMMAND = "ecglfm benchmark roofline --markdown --encoder small,base,ecglfm-600m"


def slice_of(repository, name: str, **pretrain) -> EncoderSlice:
    config = load(EncoderConfig, repository / f"config/encoders/{name}.yaml")
    config = config.model_copy(update={"pretrain": config.pretrain.model_copy(update=pretrain)})
    return EncoderSlice(encoder=name, config=config, preprocess=PreprocessConfig())


def test_each_operation_takes_the_longer_of_moving_and_multiplying():
    """An H100 at 85 % of 3.35 TB/s and 65 % of 989 and 67 TFLOP/s."""
    step = Step(2, 1_000_000, 0, [
        Operation("mm", "matrix products", 3_350_000_000, 989_000_000, torch.bfloat16),  # moves: 1/0.85 ms
        Operation("mm", "matrix products", 1, 989_000_000_000, torch.bfloat16),  # multiplies: 1/0.65 ms
        Operation("mm", "rest", 1, 67_000_000_000, torch.float32),  # 1/0.65 ms
    ])  # fmt: skip
    gpu = GPUS["h100"]
    assert step.seconds(gpu, "matrix products") == pytest.approx(1e-3 / 0.85 + 1e-3 / 0.65)
    adamw = 28e6 / (0.85 * 3.35e12)
    assert step.seconds(gpu) == pytest.approx(1e-3 / 0.85 + 2e-3 / 0.65 + adamw)
    assert (step.kernels(), step.bytes(), step.peak(gpu)) == (4, 3_350_000_002 + 28_000_000, 989e12)


@pytest.mark.parametrize(
    ("changed", "passes"),
    [({}, PASSES), ({"activation_checkpointing": True}, PASSES + 1), ({"precision": "fp32"}, PASSES)],
)
def test_products_are_those_of_the_formula(repository, changed, passes):
    slice_ = slice_of(repository, "small", **changed)
    step = count(slice_, segments=32)
    once = forward_flops(slice_.config.model, slice_.config.pretrain, segments=32, leads=12, samples=2500, masked=56)
    expected = passes * once["layers"] + PASSES * (once["frontend"] + once["objective"])
    # beside it the feature extractor's first products want no gradient
    assert step.flops() == pytest.approx(expected, rel=0.015)
    single = [one for one in step.operations if one.name == "addmm" and one.dtype == torch.float32]
    every = [one for one in step.operations if one.name == "addmm"]
    assert len(single) == (len(every) if changed.get("precision") == "fp32" else 1)  # scores of the codebook


def test_an_encoder_with_a_contract_is_counted_at_what_it_reads(repository):
    """Half the samples, half the frames: the front end's products are half as many."""
    slice_ = slice_of(repository, "tiny")
    seconds = slice_.config.pretrain.crop_seconds
    input_ = InputConfig(leads=["I", "II"], sampling_rate=250, window_seconds=seconds)
    own = slice_.model_copy(update={"config": slice_.config.model_copy(update={"input": input_})})
    assert (own.leads, own.sampling_rate) == (["I", "II"], 250)
    flops = [count(one, segments=4).flops() for one in (own, slice_)]
    assert flops[0] < 0.55 * flops[1]


@pytest.mark.pinned_torch  # the same step is other operations in another torch
@pytest.mark.parametrize(
    ("name", "half"), [("small", False), ("base", False), ("ecglfm-600m", False), ("ecglfm-600m", True)]
)
def test_the_table_of_the_page_is_what_is_counted_today(repository, name, half):
    """What moves more, or takes more kernels, shows here; where it is meant, the command makes the table anew."""
    page = (repository / "docs/performance.md").read_text()
    row = re.search(rf"^\| `{name}`, precision bf16{', half_residual' * half} \|(.*)\|$", page, re.MULTILINE)
    assert row is not None
    segments, kernels, moved, flops, kept, *times = (cell.strip() for cell in row[1].split("|"))
    step = count(slice_of(repository, name, half_residual=half), segments=int(segments))
    found = {"kernels": step.kernels(), "GB": step.bytes() / 1e9, "TFLOP": step.flops() / 1e12, "kept": step.kept / 1e9}
    told = {"kernels": float(kernels.replace(",", "")), "GB": float(moved), "TFLOP": float(flops), "kept": float(kept)}
    assert found == pytest.approx(told, rel=0.01), COMMAND
    for time, gpu in zip(times, GPUS.values(), strict=True):
        longer = max(step.seconds(gpu), LAUNCH * step.kernels())
        assert float(time.split(" ms")[0]) == pytest.approx(1000 * longer, rel=0.01)


def test_what_is_printed(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    assert main(["benchmark", "roofline", "--encoder", "tiny", "--batch", "4", "--gpu", "a100", "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "tiny, precision fp32: one update of 4 segments, not compiled, counted for an A100 SXM 80 GB; no kernel was run"
    )
    parts = [float(line.split()[-1]) for line in lines[2:11]]
    assert parts[0] > 0
    assert float(lines[11].split()[-1]) == pytest.approx(sum(parts), abs=0.05)
    assert "of the peak of 19.5 TFLOP/s" in lines[12]
    assert lines[14].endswith("is what is waited for")  # the host: 600 kernels of a microsecond
    assert len(lines) == 18


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--encoder", "tiny", "--batch", "3"], "--batch 3: segments come in pairs"),
        (["--encoder", "random-tiny"], "no `pretrain:` section"),
        (["--encoder", "tiny", "--half-residual", "on"], "half_residual needs `precision: bf16`"),
    ],
)
def test_mistakes(repository, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(repository)
    assert main(["benchmark", "roofline", *arguments]) == 1
    assert said in capsys.readouterr().err
