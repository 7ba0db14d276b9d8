"""What `benchmark train` makes of a measurement: comparison with the original, prediction, table."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import subprocess
from pathlib import Path

import pytest

from ecglfm.benchmark.training import train
from ecglfm.benchmark.training.step import Measurement
from ecglfm.cli import main
from ecglfm.config import EncoderConfig, EncoderSlice, PreprocessConfig, load
from tests.integration import warm

#: A machine of half the original's rate, on which a step takes as long as the original's took there.
MEASURED = Measurement(
    device="cpu", torch="2", threads=2, parameters=610_000_000, segments=4, build_seconds=1.0, seconds=[22.9, 22.9, 30.0],
    busy=[45.8, 45.8, 45.8], split={"load": [0.229, 0.229, 0.3], "forward": [22.671, 22.671, 29.7]},
    rates=[96e9, 96e9, 90e9], rates_fp32=[96e9, 96e9, 90e9], rates_busy=[48e9, 48e9, 48e9], flops=22.9 * 96e9 * 0.8,
    memory={"imports": 0.3e9, "build": 3e9, "steps": 7.8e9},
)  # fmt: skip


def slice_of(repository, name: str) -> EncoderSlice:
    config = load(EncoderConfig, repository / f"config/encoders/{name}.yaml")
    return EncoderSlice(encoder=name, config=config, preprocess=PreprocessConfig())


def test_the_original_is_scaled_by_the_matrix_rates(repository):
    text = train._original(slice_of(repository, "ecglfm-600m"), MEASURED)
    assert text is not None
    assert text.startswith(
        "ECG-LFM, measured elsewhere: 22.9 s, 15.6 GB (40 % of its machine's 192 GFLOP/s); by the fp32 rates 45.8 s here"
    )
    assert "this is 2.00 x as fast, with 50 % of its memory" in text
    assert train._original(slice_of(repository, "base"), MEASURED) is None  # of which no figure is known


def test_what_is_printed_of_a_measurement():
    lines = list(train._lines(MEASURED))
    assert "step of 4 segments: median 22.900 s (22.900-30.000, 3 steps), 0.1747 segments/s" in lines
    assert "of it: load 1.0 %, forward 99.0 %" in lines
    assert "matrix product in the same run: 96 GFLOP/s; utilisation 80 % (80 % by processor time)" in lines[3]
    assert lines[4] == "peak memory of the process: 7.80 GB (after imports 0.30, after building 3.00)"


def test_the_predicted_time_is_that_of_as_many_segments():
    args = argparse.Namespace(ecgs=1_000_000, gpus=10, epochs=3)
    # 3,000,000 segments, ten devices of 4 / 22.9 segments a second
    assert f"{3e6 / (10 * 4 / 22.9) / 3600:.3g} hours" in train._predicted(args, MEASURED)


def test_a_variant_that_cannot_run_is_a_line_that_says_why(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    found = iter([MEASURED, MEASURED, "no such instructions", MEASURED, MEASURED])
    monkeypatch.setattr(train, "_measured", lambda *_: next(found))
    arguments = ["--encoder", "tiny", "--precision", "fp32", "--batch", "4", "--compare", "precision"]
    assert main(["benchmark", "train", *arguments]) == 0
    first, rounded, refused, last = capsys.readouterr().out.splitlines()[2:6]
    figures = ["0.1747", "22.900", "22.900-30.000", "7.80", "80", "1.00"]
    assert re.split(r" {2,}", first) == ["as it is", *figures]
    assert re.split(r" {2,}", rounded) == ["precision tf32", *figures]
    assert refused.split() == ["precision", "bf16", "no", "such", "instructions"]
    assert re.split(r" {2,}", last) == ["precision fp16", *figures]


def test_the_original_has_its_own_process_and_memory_settings_as_json_too(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    monkeypatch.delenv("ECGLFM_KEEP_MEMORY", raising=False)
    monkeypatch.setattr(train, "_measured", lambda *_: MEASURED)
    assert main(["benchmark", "train", "--encoder", "tiny", "--batch", "4", "--way", "original", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == dataclasses.asdict(MEASURED)


def test_both_ways_of_the_original_are_compared(repository, monkeypatch, capsys):
    """Half of what it takes at `small` is how the C library gives memory back: each figure has its own process."""
    monkeypatch.chdir(repository)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "7")
    seen = []

    def run(command, env, **_options):
        seen.append(
            (command[command.index("--way") + 1], env.get("MALLOC_TRIM_THRESHOLD_"), env.get(train.KEEP_SWITCH))
        )
        return subprocess.CompletedProcess(command, 0, json.dumps(dataclasses.asdict(MEASURED)), "")

    monkeypatch.setattr(train.subprocess, "run", run)
    assert main(["benchmark", "train", "--encoder", "tiny", "--batch", "4", "--compare", "way"]) == 0
    assert seen == [("ours", "7", None), ("original", None, "0"), ("original-kept", "7", None)]
    assert "way original-kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--encoder", "tiny", "--batch", "3"], "--batch 3: segments come in pairs; give an even number"),
        (["--encoder", "tiny", "--steps", "0"], "--steps 0: at least 1"),
        (["--encoder", "random-tiny"], "random-tiny.yaml: has no `pretrain:` section, so there is no step to measure"),
        (
            ["--encoder", "jepa-tiny", "--zero", "3"],
            "jepa-tiny.yaml, with these options: (whole file): `objective.kind: jepa` needs whole weights on every process",
        ),
        (
            ["--encoder", "tinny"],
            "tinny.yaml: no such file; config/encoders/ has: base, code-resnet, cpc-tiny, ecg-cpc, ",
        ),
    ],
)
def test_mistakes_are_one_line(arguments, said, repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    assert main(["benchmark", "train", *arguments]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert said in error


@pytest.mark.slow
def test_train_benchmark_measures_a_step(
    capsys: pytest.CaptureFixture[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    arguments = ["--encoder", "tiny", "--batch", "4", "--steps", "2", "--warmup", "1", "--ecgs", "1000", "--gpus", "2"]
    assert main(["benchmark", "train", *arguments, "--kernels", "2"]) == 0
    name, size, step, split, flops, memory, *kernels, predicted = capsys.readouterr().out.splitlines()
    assert name == "tiny, precision fp32, zero 0, checkpointing off, compile off, half-residual off, way ours"
    assert [kernel.split()[1] for kernel in kernels] == ["ms"] * 3
    assert kernels[0].endswith("calls: all")
    assert size.startswith("0.2 M parameters with the heads")
    seconds, rate = (float(value) for value in re.findall(r"median ([\d.]+) s .*, ([\d.]+) segments/s", step)[0])
    assert rate == pytest.approx(4 / seconds, rel=0.02)
    assert sum(float(value) for value in re.findall(r"([\d.]+) %", split)) == pytest.approx(100, abs=0.3)
    assert 0.85 < float(re.findall(r"FLOPs: ([\d.]+) G", flops)[0]) < 0.93  # 0.302 G forward with 72 masked frames
    peaks = [float(value) for value in re.findall(r"([\d.]+)(?: GB|,|\))", memory)]
    assert 0.1 < peaks[1] <= peaks[2] <= peaks[0]
    assert float(re.findall(r": ([\d.e+-]+) hours", predicted)[0]) == pytest.approx(50_000 / rate / 2 / 3600, rel=0.02)


@pytest.mark.slow
def test_train_benchmark_compares_variants_in_processes_of_their_own(
    capsys: pytest.CaptureFixture[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setattr(train.sys, "executable", str(warm.shims() / "python"))
    arguments = ["--encoder", "tiny", "--batch", "4", "--steps", "1", "--warmup", "0", "--way", "original"]
    assert main(["benchmark", "train", *arguments, "--compare", "compile"]) == 0
    name, heads, original, compiled, _ = capsys.readouterr().out.splitlines()
    assert "way original" in name
    assert heads.split()[:2] == ["variant", "segments/s"]
    assert original.startswith("as it is")
    rate, step = (float(value) for value in original[20:].split()[:2])
    assert rate == pytest.approx(4 / step, rel=0.05)
    assert compiled.startswith("compile on           ECG-LFM's way is measured without ")
