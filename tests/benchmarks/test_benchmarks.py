"""The benchmarks run; their figures are read by people, not asserted (machines are noisy)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglfm.benchmark.copies import WAYS
from ecglfm.benchmark.original import OriginalObjective
from ecglfm.cli import main
from ecglfm.config import EncoderConfig, EncoderSlice, ProjectConfig, UserError, load
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.training.pretraining.encoders import build_encoder


@pytest.mark.slow
def test_generator_benchmark_counts_its_records(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "synthesize", "--patients", "4", "--runs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()[::2]  # the others tell the processor's share
    assert [line.split(":")[0] for line in lines] == [
        "synthesize ptbxl, 8 records, 1 core",
        "synthesize mimic_iv_ecg, 8 records, 1 core",
    ]
    for line in lines:
        seconds, rate = (float(value) for value in re.findall(r": ([\d.]+) s \((\d+) records/s\)", line)[0])
        assert rate == pytest.approx(8 / seconds, rel=0.2)


@pytest.mark.slow
def test_large_plan_benchmark_plans_what_it_says(
    capsys: pytest.CaptureFixture[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert main(["benchmark", "plan_large", "--scale", "0.0001", "--shards", "20", "--runs", "1"]) == 0
    time, memory = capsys.readouterr().out.splitlines()
    assert time.startswith("snakemake -n, 8 sources, 1161 rows, 22 shards, 36 fits: ")  # one shard each at least
    plan, alone = (int(value) for value in re.findall(r"(\d+) MB", memory))
    assert plan >= alone > 50


@pytest.mark.slow
def test_loader_benchmark_compares_with_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "loader", "--patients", "130", "--shards", "3", "--block", "8", "--runs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    original = int(re.findall(r"as the original: (\d+) segments/s", lines[0])[0])
    for line in lines[2:4]:
        here, ratio, best, fixed = (float(value) for value in re.findall(r"(?<!float)(?<!int)\b[\d.]+", line)[:4])
        assert ratio == pytest.approx(here / original, rel=0.01)
        assert (best, fixed) == (here, pytest.approx(here / 4321, abs=0.05))
    assert [line.split(": ")[0].rsplit(", ", 1)[1] for line in lines[4:]] == [
        "plain memory maps", "full shuffle", "blocks of 8 neighbours"
    ]  # fmt: skip


def test_shuffle_benchmark_finds_the_expected_number_of_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "shuffle", "--patients", "6400", "--size", "64", "--block", "16"]) == 0
    full, blocks = capsys.readouterr().out.splitlines()
    pairs = [float(re.findall(r"([\d.]+) pairs of one block", line)[0]) for line in (full, blocks)]
    assert pairs[0] == pytest.approx(64 * 63 / 2 * 15 / 6399, abs=0.9)  # 4.73; three standard errors of 50 batches
    assert pairs[1] == pytest.approx(0, abs=0.1)
    runs = [int(re.findall(r"runs of (\d+) patients", line)[0]) for line in (full, blocks)]
    assert runs == [1, pytest.approx(16, abs=1)]  # now and then two neighbouring blocks are one run


@pytest.mark.slow
def test_ingest_benchmark_measures_the_same_records(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "ingest", "--records", "20", "--yardstick", "5", "--repeat", "3", "--runs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "wfdb.rdsamp", "numpy.fromfile", "reader, verified", "reader to millivolts", "ingest, 1 worker", "ingest, 2 workers"
    ]  # fmt: skip
    figures = [re.findall(r": (\d+) records/s; ([\d.]+) x wfdb.rdsamp; (\d+) records", line)[0] for line in lines]
    assert [int(records) for _, _, records in figures] == [5, 20, 20, 20, 60, 60]
    yardstick = float(figures[0][0])
    for rate, ratio, _ in figures:
        assert float(ratio) == pytest.approx(float(rate) / yardstick, rel=0.05, abs=0.1)


@pytest.mark.slow
def test_audit_benchmark_finds_what_it_planted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "audit", "--records", "40", "--copies", "1", "--workers", "1"]) == 0
    first, *ways, patients, others = capsys.readouterr().out.splitlines()
    records, seconds, rate = re.findall(r"audit, (\d+) records, 1 processes: ([\d.]+) s \((\d+) records/s\)", first)[0]
    assert int(records) == 40 + len(WAYS)
    assert float(rate) == pytest.approx(int(records) / float(seconds), rel=0.05, abs=1)
    found = dict(line.removeprefix("copies, ").split(": ") for line in ways)
    assert list(found) == list(WAYS)
    by_chance = {"steps of 100 uV", "clock 1 % fast"}  # docs/performance-notes.md
    assert {way: found[way] for way in WAYS if way not in by_chance} == dict.fromkeys(
        WAYS.keys() - by_chance, "1 of 1 found"
    )
    assert (patients, others) == ("pairs of two recordings of one patient: 0", "pairs of two patients: 0")


@pytest.mark.slow
def test_preprocess_benchmark_compares_with_the_bare_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "preprocess", "--records", "6", "--runs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "prepare 500 Hz pass-through",
        "prepare 400 to 500 Hz",
        "prepare band-pass and notch",
        "stage preprocess, 500 Hz pass-through, 1 worker",
    ]
    for line in lines:
        rate, ratio = (float(value) for value in re.findall(r"\((\d+) records/s\).*ratio ([\d.]+);", line)[0])
        assert rate > 0
        assert ratio > 0


@pytest.mark.slow
def test_train_benchmark_measures_a_step(
    capsys: pytest.CaptureFixture[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    arguments = ["--encoder", "tiny", "--batch", "4", "--steps", "2", "--warmup", "1", "--ecgs", "1000", "--gpus", "2"]
    assert main(["benchmark", "train", *arguments]) == 0
    name, size, step, split, flops, memory, predicted = capsys.readouterr().out.splitlines()
    assert name == "tiny, precision fp32, zero 0, checkpointing off, compile off, way ours"
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
    monkeypatch.setenv("CXX", "no-such-compiler")
    arguments = [
        "--encoder",
        "tiny",
        "--batch",
        "4",
        "--steps",
        "1",
        "--warmup",
        "0",
        "--compare",
        "checkpointing,compile,way",
    ]
    assert main(["benchmark", "train", *arguments]) == 0
    _, heads, first, checkpointed, compiled, original, kept, _ = capsys.readouterr().out.splitlines()
    assert heads.split()[:2] == ["variant", "segments/s"]
    for line, variant in (
        (first, "as it is"),
        (checkpointed, "checkpointing on"),
        (original, "way original"),
        (kept, "way original-kept"),
    ):
        assert line.startswith(variant)
        rate, step = (float(value) for value in line[20:].split()[:2])
        assert rate == pytest.approx(4 / step, rel=0.05)
    assert compiled.startswith("compile on           pretrain.compile: true needs a C++ compiler")


def test_the_original_has_batch_normalisation_only(repository: Path) -> None:
    """What the code of ECG-LFM cannot compute is not measured as if it could."""
    config = load(EncoderConfig, repository / "config/encoders/tiny.yaml")
    model = config.model.model_copy(update={"norm": "group"})
    preprocess = load(ProjectConfig, repository / "config/config.yaml").preprocess
    slice_ = EncoderSlice(encoder="tiny", config=config.model_copy(update={"model": model}), preprocess=preprocess)
    with pytest.raises(UserError, match="Conformers with `norm: batch`"):
        OriginalObjective(build_encoder(slice_, 0), config.pretrain)


@pytest.mark.slow
def test_checkpoint_benchmark_measures_bytes_and_waiting(
    capsys: pytest.CaptureFixture[str], repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert main(["benchmark", "checkpoint", "--encoder", "tiny", "--saves", "2", "--output", str(tmp_path)]) == 0
    size, write, waits, resume = capsys.readouterr().out.splitlines()
    config = load(EncoderConfig, repository / "config/encoders/tiny.yaml")
    preprocess = load(ProjectConfig, repository / "config/config.yaml").preprocess
    encoder = build_encoder(EncoderSlice(encoder="tiny", config=config, preprocess=preprocess), 0)
    objective = MaskedCodes(encoder, config.pretrain)
    parameters = sum(parameter.numel() for parameter in objective.parameters())
    buffers = sum(buffer.nbytes for buffer in objective.buffers())
    assert size == f"tiny: {(12 * parameters + buffers) / 1e6:.1f} MB in a checkpoint"  # weight and two moments, fp32
    seconds, rate = (float(value) for value in re.findall(r"median ([\d.]+) s, ([\d.]+) MB/s", write)[0])
    assert rate == pytest.approx((12 * parameters + buffers) / 1e6 / seconds, rel=0.1)
    assert 0 < float(re.findall(r"median ([\d.]+) s", waits)[0]) <= seconds
    assert 0 < float(re.findall(r"([\d.]+) % of the write", waits)[0]) <= 100
    assert all(float(value) < 60 for value in re.findall(r"([\d.]+) s", resume))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_pretraining_benchmark_compares_the_arms(
    capsys: pytest.CaptureFixture[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    size = ["--patients", "40", "--seeds", "1", "--steps", "2", "--epochs", "1"]
    assert main(["benchmark", "pretraining", *size]) == 0
    title, _, _, names, _, seed, mean = capsys.readouterr().out.splitlines()
    assert title.startswith("tiny, 2 updates: macro AUROC of a linear probe of diagnosis on ")
    assert names.split(" | ")[1:4] == ["random", "pretrained", "CMSC from the front end"]
    random, pretrained, front_end, worth, pools = map(float, re.findall(r"\| ([+-]?\d\.\d+)", seed))
    assert len({random, pretrained, front_end}) > 1
    assert worth == pytest.approx(pretrained - random, abs=0.0011)
    assert pools == pytest.approx(pretrained - front_end, abs=0.0011)
    assert mean == "| mean | " + re.sub(r" \(.*?\)", "", seed).removeprefix("| 0 | ")


@pytest.mark.slow
def test_memory_benchmark_measures_every_data_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "memory", "--records", "150"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "index of ptbxl", "index of mimic_iv_ecg", "ingest, one shard", "preprocess, one shard", "manifest and audit",
        "labels", "summary",
    ]  # fmt: skip
    for line in lines:
        small, large, growth = re.findall(r": (\d+) MB with 150 records, (\d+) MB with 1200: (-?\d+) bytes", line)[0]
        assert 50 < int(small) < 1000  # a Python process with pandas
        assert int(growth) == pytest.approx((int(large) - int(small)) * 1e6 / 1050, abs=1000)  # MB are rounded


def test_bootstrap_benchmark_compares_with_one_resample_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"labels": 3, "records": 60, "resamples": 10, "encoders": 3}
    assert main(["benchmark", "bootstrap", *(f"--{name}={value}" for name, value in sizes.items())]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "nine metrics of 3 labels, macro and micro, 10 resamples", "the same in 21 subgroups of 5 kinds",
        "3 encoders against each other", "survival of 60 records, 10 resamples",
    ]  # fmt: skip
    for line in lines:
        ours, other, ratio = (float(value) for value in re.findall(r"([\d.]+)(?= s;|;)", line)[:3])
        assert ratio == pytest.approx(ours / other, abs=0.02 + 0.001 * (1 + ratio) / other)


def test_probe_benchmark_learns_the_planted_labels(capsys: pytest.CaptureFixture[str]) -> None:
    options = {"records": 3000, "labels": 2, "dim": 8, "epochs": 100}
    assert main(["benchmark", "probe", *(f"--{name}={value}" for name, value in options.items())]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert float(re.findall(r"probe of 2 labels, macro AUROC ([\d.]+):", line)[0]) > 0.85
    ours, other, ratio = (float(value) for value in re.findall(r"([\d.]+)(?= s;|;)", line)[:3])
    assert ratio == pytest.approx(ours / other, rel=0.2, abs=0.02)
