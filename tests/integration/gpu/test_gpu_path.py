"""What a CPU can say of a training on a GPU: devices, waits, types of numbers. No kernel runs, and none is timed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest
import torch
from torch._dynamo import explain
from torch._dynamo.utils import counters

from ecglfm.benchmark.gpu.roofline import count
from ecglfm.config import EncoderConfig, EncoderSlice, PreprocessConfig, load
from ecglfm.models.encoders import make_encoder
from ecglfm.models.encoders.conformer import ConformerLayer
from ecglfm.models.layers import sinusoids
from ecglfm.models.layers.fast import attention
from ecglfm.models.layers.fast.choice import SWITCH
from ecglfm.models.meta_device import on_meta_device
from tests.unit.architectures import SMALL, small

HERE = Path(__file__).parent
PRETRAINED = ["small", "wav2vec2", "cpc-tiny", "jepa-tiny", "mae-tiny", "report-tiny"]  # every objective
FINETUNED = ["tiny", "wav2vec2", "xresnet1d101", "resnet", "net1d-small", "s4", "jepa-tiny", "synced"]  # and encoder
STEPS = [*PRETRAINED, *(f"{name}+finetune" for name in FINETUNED)]
ASKED = [f"{name}+predict" for name in FINETUNED]
OTHERS = {"wav2vec2": "wav2vec2", "resnet": "resnet", "synced": "conformer"}  # of `fake_step`
COUNTED = "tiny+count"  # the last, because it replaces PyTorch's attention


@pytest.fixture(scope="module")
def guard(tmp_path_factory) -> Path:
    """The stand-in for the CUDA runtime, compiled."""
    if shutil.which("g++") is None:
        pytest.skip("the stand-in for CUDA is compiled with g++, which is not there")
    home, library = Path(torch.__file__).parent, tmp_path_factory.mktemp("guard") / "guard.so"
    include = [f"-I{home}/include", f"-I{home}/include/torch/csrc/api/include"]
    source = [str(HERE / "fake_cuda_guard.cpp"), "-o", str(library), f"-L{home}/lib", "-lc10", "-ltorch_cpu"]
    subprocess.run(["g++", "-std=c++20", "-O0", "-shared", "-fPIC", *include, *source], check=True)
    return library


def said_by(script: str, *arguments: str) -> dict[str, dict]:
    """What a script found, by the step that it says it of."""
    done = subprocess.run([sys.executable, str(HERE / script), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return {found.pop("step"): found for found in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def steps(guard) -> dict[str, dict]:
    """What one step of each did, on fake CUDA tensors."""
    return said_by("fake_step.py", str(guard), *STEPS, *ASKED, COUNTED)


@pytest.mark.parametrize("name", [*STEPS, *ASKED])
def test_a_step_stays_on_the_gpu(steps, name):
    """Every weight gets a gradient there, and no tensor comes or goes that anybody waits for."""
    found = steps[name]
    assert found["loss"] == "cuda:0"
    assert found["without_gradient"] == []
    assert found["crossings"] == []


def test_the_host_waits_once_an_update(steps):
    """For what all ranks must know before the optimizer's step: losses, flags and the norm. DeepSpeed is not in it."""
    for name in PRETRAINED:
        (wait,) = steps[name]["waits"]
        assert wait.startswith("read at training/pretraining/watchdog.py")
        # Pinned: signals and their leads, keys and masks, or what is seen and hidden, or reports and their numbers.
        assert steps[name]["arrivals"] == 4
    assert all(steps[name]["waits"] == [] for name in [*STEPS, *ASKED] if name not in PRETRAINED)


@pytest.mark.parametrize("name", [*STEPS, *ASKED])
def test_millivolts_are_multiplied_in_float32(steps, name):
    """bfloat16 has two digits of them, TF32 three."""
    assert steps[name]["first"] == ["float32", "float32", ""]
    kernels = name.startswith("s4")  # whose second product is of states
    allowed = "" if name in ASKED else "tf32"  # by the step; who is asked in bf16 has none
    wanted = ["float32", "float32", ""] if kernels else ["bfloat16", "bfloat16", allowed]
    assert steps[name]["second"] == wanted


def test_the_roofline_counts_what_is_done_on_a_gpu(steps):
    """On `meta`, with CUDA's rules by hand, the same operations on as many bytes as with PyTorch's own rules here."""
    there = {(name, moved, dtype): times for name, moved, dtype, times in steps[COUNTED]["operations"]}
    config = load(EncoderConfig, "config/encoders/tiny.yaml")
    config = config.model_copy(update={"pretrain": config.pretrain.model_copy(update={"precision": "bf16"})})
    step = count(EncoderSlice(encoder="tiny", config=config, preprocess=PreprocessConfig()), segments=4)
    here = Counter((one.name, one.bytes, str(one.dtype)) for one in step.operations)
    large = {one: times for one, times in here.items() if one[1] > 1000}  # numbers of a loss are no matter
    parted = set() if torch.version.cuda else {"silu_backward"}  # which fake tensors take apart without a CUDA build
    assert {one[0] for one, times in large.items() if there.get(one, 0) < times} == parted
    # Parts of it; gradients of the first update are added to.
    apart = {"sigmoid", "fill_", "sub_", "mul", "add", "add_"}
    more = sum((times - 2 * here[one]) * one[1] for one, times in there.items() if one[0] not in apart)
    assert abs(more) < 0.02 * 2 * step.bytes()  # what an update does besides


def test_every_kind_makes_a_step():
    """But statistics, which have no weight; the fake device lacks an operation of theirs."""
    kinds = {
        OTHERS[name] if name in OTHERS else load(EncoderConfig, f"config/encoders/{name}.yaml").model.kind
        for name in FINETUNED
    }
    assert kinds == SMALL.keys() - {"statistics"}


def test_a_compiled_layer_of_a_gpu_gives_the_same_numbers(monkeypatch):
    """Its attention writes the bias of positions by hand, forward and backward, through views of other strides."""
    monkeypatch.setattr(attention, "_fused", lambda _: True)
    monkeypatch.setenv(SWITCH, "0")
    torch.manual_seed(0)
    layer, frames = ConformerLayer(small("conformer", dropout=0.0, norm="group")), 13
    x, drawn = torch.randn(3, frames, 16), torch.randn(3, frames, 16)
    mask = torch.ones(3, frames, dtype=torch.bool)
    mask[1, 7:] = False

    def step(mask_bt: torch.Tensor | None) -> list[torch.Tensor]:
        layer.zero_grad()
        out = layer(x.requires_grad_(), sinusoids(frames, 16), mask_bt)
        out.backward(drawn)
        return [out.detach(), *(weight.grad.clone() for weight in layer.parameters())]

    plain = [step(None), step(mask)]
    counters.clear()
    layer.compile(backend="aot_eager")
    compiled = [step(None), step(mask)]
    assert counters["stats"]["unique_graphs"] == 2
    for one, other in zip(chain(*compiled), chain(*plain), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    layer._compiled_call_impl = None
    monkeypatch.setattr(attention, "_fused", lambda _: False)
    for one, other in zip(step(mask), plain[1], strict=True):  # which is what a processor's is
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_layer_is_one_graph():
    """`pretrain.compile` fuses within a graph only; the device `meta` takes the branches of a GPU."""
    prepared, model = PreprocessConfig(), load(EncoderConfig, "config/encoders/tiny.yaml").model
    with on_meta_device():
        encoder = make_encoder(model.model_copy(update={"dropout": 0.1}), prepared.leads, 500, prepared, 5.0).train()
    frames = encoder.frames(2500)
    x = torch.empty(4, frames, model.dim, device="meta", requires_grad=True)
    found = explain(encoder.context.layers[0])(x, torch.empty(2 * frames - 1, model.dim, device="meta"), None)
    assert (found.graph_count, found.break_reasons) == (1, [])


@pytest.mark.parametrize("kind", ["conformer", "wav2vec2", "vit"])
def test_all_layers_share_one_compiled_form(monkeypatch, kind):
    """More layers than the 8 that PyTorch compiles of one function, before it goes on without a word uncompiled."""
    monkeypatch.setattr(attention, "_fused", lambda _: True)
    monkeypatch.setenv(SWITCH, "0")
    prepared = PreprocessConfig()
    encoder = make_encoder(small(kind, layers=10, dropout=0.1), prepared.leads, 100, prepared, 5.0).train()
    counters.clear()
    for layer in getattr(encoder, "context", encoder).layers:
        layer.compile(backend="eager")
    for _ in range(2):
        encoder.embed(torch.randn(3, 12, 500)).sum().backward()
    assert counters["stats"]["unique_graphs"] == 1


@pytest.mark.slow
@pytest.mark.pinned_torch
@pytest.mark.skipif(
    not torch.version.cuda, reason="torch is a build for processors, whose compiler writes no kernels of GPUs"
)
def test_compiled_layers_are_kernels_of_a_gpu_that_move_less(guard, tmp_path, monkeypatch):
    """Triton makes machine code of all of them; what is recomputed is a graph of its own, which counts nothing again."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    again = "small+half_residual+activation_checkpointing"
    found = said_by("compiled_layer.py", str(guard), "small", "small+padded", again, "wav2vec2")
    for name, one in found.items():
        assert (one["refused"], one["graphs"]) == ([], 2 if name == again else 1)
        assert one["bytes"] < 0.85 * one["uncompiled bytes"]
