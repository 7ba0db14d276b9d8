"""Products in 8-bit floats: which, how they are rounded, and that a training learns as with bf16; emulated on a CPU."""

from __future__ import annotations

import copy
import sys

import pytest
import torch
from torch import nn

from ecglfm.config import UserError
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.training import float8
from ecglfm.training.float8 import float8_problem, use_float8
from ecglfm.training.precision import Autocast, set_precision
from ecglfm.training.pretraining.encoders import build_encoder
from tests.unit.training.pretraining.small_pretraining import encoder_slice


def rounded(x: torch.Tensor) -> torch.Tensor:
    """To E4M3, whose largest number is 448, by the tensor's own largest (arXiv:2209.05433, 3 and table 1)."""
    scale = 448.0 / x.abs().max()
    return (x * scale).to(torch.float8_e4m3fn).float() / scale


class Layers(nn.Module):
    """Two layers that are alike, and maps that are not of them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(32, 32)
        self.layers = nn.ModuleList(nn.ModuleDict({"wide": nn.Linear(32, 48), "odd": nn.Linear(48, 24)}) for _ in "ab")


@pytest.mark.pinned_torch
def test_factors_are_rounded_to_e4m3_and_summed_in_more_digits():
    model = Layers()
    linear = model.layers[0]["wide"]
    x, weight, bias = torch.randn(64, 32), linear.weight.detach().clone(), linear.bias.detach().clone()
    use_float8(model, emulate=True)
    expected = rounded(x) @ rounded(weight).T + bias
    torch.testing.assert_close(model.layers[0]["wide"](x), expected, rtol=1e-5, atol=1e-5)
    assert (expected - (x @ weight.T + bias)).abs().max() > 1e-3  # which float32 does not give


@pytest.mark.pinned_torch
def test_only_maps_of_the_layers_whose_widths_the_kernels_take():
    model = Layers()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert use_float8(model, emulate=True) == 2
    changed = {name for name, part in model.named_modules() if type(part).__name__ == "Float8Linear"}
    assert changed == {"layers.0.wide", "layers.1.wide"}
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert set(after) == set(before)
    plain = Layers()
    plain.load_state_dict(after)  # what was trained so is an encoder like any other


@pytest.mark.pinned_torch
def test_an_encoder_without_such_maps_is_refused():
    with pytest.raises(UserError, match="no linear map"):
        use_float8(nn.Sequential(nn.Linear(32, 32)), emulate=True)


@pytest.mark.pinned_torch
def test_any_number_of_rows_gives_the_gradient_of_its_rounded_factors():
    """49, as of the places that `linear_pos` reads: a kernel sums them in sixteens, so zeros fill the last."""
    model = Layers()
    linear = model.layers[0]["wide"]
    plain, x = copy.deepcopy(linear), torch.randn(49, 32)
    use_float8(model, emulate=True)
    linear = model.layers[0]["wide"]
    assert all(part.config.pad_inner_dim for part in model.modules() if type(part).__name__ == "Float8Linear")
    given = torch.randn(49, 48)
    linear(x).backward(given)
    scale = 57344.0 / given.abs().max()  # of E5M2, the largest
    expected = ((given * scale).to(torch.float8_e5m2).float() / scale).T @ rounded(x)
    torch.testing.assert_close(linear.weight.grad, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(linear(x), rounded(x) @ rounded(plain.weight).T + plain.bias, rtol=1e-5, atol=1e-5)


def losses(*, eight: bool) -> torch.Tensor:
    """Of 40 updates of a small Conformer under ECG-LFM's objective, all else in bf16."""
    slice_ = encoder_slice()
    pretrain = slice_.config.pretrain
    objective = MaskedCodes(build_encoder(slice_, 0), pretrain)
    if eight:
        assert use_float8(objective.encoder, emulate=True) == 18  # nine of each layer
    module = Autocast(objective, torch.bfloat16)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-3)
    time_n = torch.arange(200) / 100.0
    found = []
    for step in range(40):
        rates = 1.0 + torch.rand((8, 3, 1), generator=torch.Generator().manual_seed(step))
        loss = module(torch.sin(2 * torch.pi * rates * time_n), step=step, generator_seed=step)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.detach())
    return torch.stack(found)


@pytest.mark.pinned_torch
def test_a_training_learns_as_with_bf16():
    with_fp8, with_bf16 = losses(eight=True), losses(eight=False)
    assert with_bf16[-10:].mean() < 0.9 * with_bf16[:10].mean()  # there was something to learn
    torch.testing.assert_close(with_fp8[0], with_bf16[0], rtol=2e-3, atol=0)
    torch.testing.assert_close(with_fp8[-10:].mean(), with_bf16[-10:].mean(), rtol=2e-2, atol=0)


def test_a_torchao_of_another_torch_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao.float8", None)
    with pytest.raises(
        UserError, match=r"fp8: torchao \S+ does not go with torch \S+ \(.*\); install the torchao .*bf16$"
    ):
        use_float8(Layers())


@pytest.mark.parametrize(("capability", "lacks"), [((8, 0), True), ((8, 9), False), ((9, 0), False), ((12, 0), False)])
def test_gpus_that_have_it(monkeypatch, capability, lacks):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA A100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    assert (float8_problem() is not None) is lacks
    if lacks:
        with pytest.raises(UserError, match=r"compute capability 8\.9 or more .*NVIDIA A100 has 8\.0; write bf16"):
            set_precision("fp8")


def test_without_a_gpu_it_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="precision: fp8 needs a GPU that has it, and there is none here; write bf16"):
        set_precision("fp8")


def test_torchao_is_asked_for(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"precision: fp8 needs torchao: pip install 'ecglfm\[fp8\]'"):
        float8.use_float8(Layers(), emulate=True)
