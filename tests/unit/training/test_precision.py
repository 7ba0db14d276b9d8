"""Numbers of products: what each word sets, that a processor's stay what they are, and who is warned."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ecglfm import distributed, gpu
from ecglfm.config import FinetuneConfig, UserError
from ecglfm.training import precision as precisions
from ecglfm.training.engine import initialize
from ecglfm.training.precision import calculating, set_precision


def tf32() -> tuple[bool, bool]:
    """Whether products, and convolutions, may take it."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True)
def as_before():
    """Switches of the process are put back."""
    with gpu.tf32(False):
        yield


class Network(nn.Module):
    """A convolution and a product."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.linear = nn.Conv1d(3, 4, 5), nn.Linear(60, 2)

    def forward(self, x):
        return self.linear(self.conv(x).flatten(1))


@pytest.mark.parametrize(("precision", "wanted"), [("fp32", False), ("tf32", True), ("bf16", False)])
def test_a_training_sets_tf32_where_it_is_asked_for_and_nowhere_else(precision, wanted):
    """PyTorch's default is TF32 for convolutions alone."""
    distributed.init()
    for before in (not wanted, wanted):
        gpu.use_tf32(before)
        initialize(Network(), FinetuneConfig(precision=precision))
        assert tf32() == (wanted, wanted)


def test_a_device_that_is_chosen_multiplies_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    gpu.use_tf32(True)
    assert distributed.choose_device() == torch.device("cuda", 0)
    assert tf32() == (False, False)


def step(precision: str) -> list[torch.Tensor]:
    """Weights and gradients after a step."""
    distributed.init()
    network = Network()
    engine = initialize(network, FinetuneConfig(precision=precision, lr=0.1))
    x = torch.linspace(-1, 1, 2 * 3 * 34).sin().view(2, 3, 34)[..., :19]
    engine.backward(engine(x).square().mean())
    gradients = [parameter.grad.clone() for parameter in network.parameters()]
    engine.step()
    return gradients + [parameter.detach().clone() for parameter in network.parameters()]


def test_on_a_processor_tf32_is_fp32_to_the_bit():
    plain, tensor_cores, half = step("fp32"), step("tf32"), step("bf16")
    assert all(map(torch.equal, plain, tensor_cores))
    assert not all(map(torch.equal, plain, half))


def test_inference_has_numbers_of_its_own_and_leaves_those_of_the_training():
    network, x = Network().eval(), torch.linspace(-1, 1, 57).view(1, 3, 19)
    gpu.use_tf32(True)
    for precision, inside, dtype in (("fp32", False, torch.float32), ("tf32", True, torch.float32),
                                     ("bf16", False, torch.bfloat16)):  # fmt: skip
        with calculating(precision, x.device):
            assert tf32() == (inside, inside)
            assert network(x).dtype == dtype
        assert tf32() == (True, True)


def test_fp16_needs_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    with pytest.raises(UserError, match="precision: fp16 needs a GPU"):
        set_precision("fp16")


def test_bf16_where_it_would_crawl_is_warned_of(monkeypatch, caplog):
    for fast in (True, False):
        monkeypatch.setattr(precisions, "bf16_is_fast", lambda fast=fast: fast)
        caplog.clear()
        set_precision("bf16")
        assert ("no bf16 instructions" in caplog.text) is not fast


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512bw avx512_vnni", False),  # Ice Lake
        ("flags\t\t: fpu avx2 avx512f avx512_bf16", True),  # Cooper Lake, Zen 4
        ("flags\t\t: fpu avx512f amx_bf16 amx_tile", True),  # Sapphire Rapids
        ("flags\t\t: fpu avx2", False),
        ("Features\t: fp asimd sve bf16", True),  # ARM
        ("Features\t: fp asimd", False),
        ("processor\t: 0", True),  # it says nothing: oneDNN is believed
        (None, True),
    ],
)
def test_bf16_is_fast_where_the_processor_has_units_for_it(monkeypatch, tmp_path, flags, fast):
    """oneDNN takes any AVX-512 for one of them: on an Ice Lake that chose bf16, at a third of the speed of fp32."""
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\npower management:\n")
    monkeypatch.setattr(precisions, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert precisions.bf16_is_fast() is fast
