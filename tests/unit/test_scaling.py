"""The figures of docs/scaling.md that follow from the code, computed again."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from ecglfm.benchmark.training.flops import PASSES, forward_flops
from ecglfm.config import EncoderConfig, EncoderSlice, PreprocessConfig, load
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.training.pretraining.encoders import build_encoder

pytestmark = pytest.mark.slow

RECORDS, GPUS, SEGMENTS = 11.6e6, 16, 128
PEAK = {"A100": 312e12, "H100": 989e12}


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    """The document, with single spaces."""
    return re.sub(r"\s+", " ", (repository / "docs/scaling.md").read_text())


@pytest.fixture(scope="module")
def config(repository: Path) -> EncoderConfig:
    return load(EncoderConfig, repository / "config/encoders/ecglfm-600m.yaml")


@pytest.fixture(scope="module")
def objective(config) -> MaskedCodes:
    """What is trained, without memory."""
    slice_ = EncoderSlice(encoder="x", config=config, preprocess=PreprocessConfig())
    with torch.device("meta"):
        return MaskedCodes(build_encoder(slice_, 0), config.pretrain)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def forward(config) -> float:
    """FLOPs of a segment, 56 of whose 156 frames are hidden."""
    sums = forward_flops(config.model, config.pretrain, segments=SEGMENTS, leads=12, samples=2500, masked=56)
    return sum(sums.values()) / SEGMENTS


def test_bytes(text):
    assert f"| {5000 * 12 * 2 / 1e3:.0f} KB* |" in text
    assert f"| {RECORDS * 5000 * 12 * 2 / 1e12:.2f} TB* |" in text


def test_parameters_and_arithmetic(text, objective, forward):
    assert f"parameters of the encoder {count(objective.encoder) / 1e6:.1f} million*" in text
    assert f"parameters with the objective {count(objective) / 1e6:.1f} million*" in text
    assert f"forward {forward / 1e12:.3f} TFLOP a segment*" in text
    assert f"forward and backward {PASSES * forward / 1e12:.3f} TFLOP a segment*" in text
    assert f"(every recording once) {RECORDS * PASSES * forward / 1e18:.1f} EFLOP*" in text
    assert f"50 such passes {50 * RECORDS * PASSES * forward / 1e18:.0f} EFLOP*" in text


@pytest.mark.parametrize("percent", [20, 30, 40, 50])
def test_gpu_hours(text, forward, percent):
    a100, h100 = (50 * RECORDS * PASSES * forward / (peak * percent / 100 * 3600) for peak in PEAK.values())
    unit = " GPU-hours" if percent == 20 else ""
    assert f"| {percent} % | {a100:,.0f}{unit}* | {h100:,.0f}{unit}* | {h100 / GPUS:.0f} h |" in text


def test_memory(text, objective):
    sizes = {0: lambda n: 16, 1: lambda n: 8 + 12 / n, 2: lambda n: 4 + 16 / n, 3: lambda n: 20 / n}
    for stage, size in sizes.items():
        here, there = (size(n) * count(objective) / 1e9 for n in (8, 16))
        assert re.search(rf"\| {stage} \| [^|]* \| {here:.1f} GB\* \| {there:.1f} GB\* \|", text), (stage, here, there)


def test_memory_of_a_node(text, objective, repository):
    """Of 8 ranks: imports as measured, a layer, and a copy of the state in blocks of powers of two."""
    layer = max(4 * count(layer) for layer in objective.encoder.context.layers)
    assert (
        f"layer by layer: {layer / 1e9:.1f} GB* at a time, where all of them are {4 * count(objective) / 1e9:.1f} GB*"
        in text
    )
    imports = float(re.search(r"what else a rank imports take ([\d.]+) GB", text).group(1))
    assert f"8 ranks hold {8 * (imports + layer / 1e9):.1f} GB* before step 1" in text
    plain = 12 * count(objective)
    averaged = plain + 4 * count(objective.encoder)
    locked = [8 * 2 ** math.ceil(math.log2(size / 8)) / 1e9 for size in (plain, averaged)]
    assert f"{plain / 1e9:.1f} GB* on a node with all ranks (with `ema` {averaged / 1e9:.1f} GB*)" in text
    assert f"on 8 ranks {locked[0]:.1f} GB* and {locked[1]:.1f} GB*" in text
    assert f"page-locked: {plain / 1e9:.1f} GB* on a node more" in text
    given = [int(size) for size in re.search(r"8 GPUs (\d+) GB, with `ema` (\d+) GB", text).groups()]
    start, encoder = 8 * (imports + layer / 1e9), 4 * count(objective.encoder) / 1e9
    assert all(
        start + copy + encoder < 0.6 * size for copy, size in zip(locked, given, strict=True)
    )  # the rest: loaders, CUDA
    profile = (repository / "workflow/profiles/slurm/config.yaml").read_text()
    assert f"ecglfm-600m on 8 GPUs: {given[0]}000, with `ema` {given[1]}000" in profile


def saved_bytes(encoder: torch.nn.Module, segments: int) -> int:
    """What a forward keeps for its backward pass, beside the parameters."""
    parameters = {parameter.untyped_storage()._cdata for parameter in encoder.parameters()}
    kept = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in parameters:
            kept[storage._cdata] = (storage.nbytes(), tensor)  # the tensor, so that the address is not used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        encoder(torch.empty(segments, 12, 2500, device="meta"))
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize(("checkpointing", "row"), [(False, "plain"), (True, "`activation_checkpointing: true`")])
def test_activations(text, objective, checkpointing, row):
    """Within a tenth: a change of the model that needs less memory need not be written down at once."""
    encoder = objective.encoder
    encoder.context.checkpointing = checkpointing
    size = (saved_bytes(encoder, 4) - saved_bytes(encoder, 2)) / 2
    one, at_work, whole = re.search(rf"\| {row} \| (\d+) MB\*(?:, and (\d+) MB)?[^|]* \| (\d+) GB\* \|", text).groups()
    assert float(one) * 1e6 == pytest.approx(size, rel=0.1)
    assert float(whole) * 1e9 == pytest.approx(SEGMENTS * (size + 1e6 * float(at_work or 0)), rel=0.1)


def test_reads(text, forward):
    step = PASSES * forward
    a100, h100 = (0.3 * peak / step for peak in PEAK.values())
    assert f"| one A100 at 30 % | {a100:.0f}* | {a100 * 60e3 / 1e6:.0f} MB |" in text
    assert f"| one H100 at 30 % | {h100:.0f}* | {h100 * 60e3 / 1e6:.0f} MB |" in text
    assert f"| 16 H100 at 30 % | {16 * h100:,.0f}* | {16 * h100 * 60e3 / 1e6:.0f} MB |" in text
    assert f"8 GPUs reads {8 * h100:,.0f} crops/s" in text
    assert f"an update of 128 segments takes {SEGMENTS / h100:.2f} s*" in text


def test_checkpoints(text, objective):
    size = 12 * count(objective)
    wait = 0.1 * size / 1e9
    assert (
        f"12 bytes a parameter: {size / 1e9:.1f} GB* (with `ema` {(size + 4 * count(objective.encoder)) / 1e9:.1f} GB*)"
        in text
    )
    assert f"one that is being written: {3 * size / 1e9:.0f} GB*" in text
    assert f"so d = {wait:.1f} s*" in text
    per_gpu = 54 * 24 * 16384 / 419
    assert f"{per_gpu:,.0f} GPU-hours* each | {per_gpu / GPUS:,.0f} h*" in text
    for hours, digits in ((per_gpu / GPUS, 0), (12, 1)):
        interval, lost = math.sqrt(2 * wait * hours * 3600), math.sqrt(2 * wait / (hours * 3600))
        assert (
            f"h{'*' if digits == 0 else ''} | {interval / 60:.{digits}f} min* | {100 * lost:.{2 - digits}f} %* |"
            in text
        )
