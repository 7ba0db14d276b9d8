"""What lives elsewhere has the numbers that it would have on the host, and is never whole there.

`meta` stands in for a GPU: a device that keeps shapes and forgets numbers.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ecglfm.config import LEADS, PreprocessConfig, PretrainConfig
from ecglfm.models.encoders import ECGEncoder, make_encoder
from ecglfm.models.placement import make_on
from ecglfm.models.pretraining import make_objective
from tests.unit.architectures import SMALL, small

META = torch.device("meta")
PATCHES = ["jepa", "mae"]  # objectives of `kind: vit`


class Departures(TorchDispatchMode):
    """Notes the numbers that leave for the device, by the storage that gets them; nothing may be computed there."""

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        there = any(x.is_meta for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor))
        if there and func is torch.ops.aten.clone.default:  # numbers that are there already
            self.left[out.untyped_storage()._cdata] = (out, self.left[args[0].untyped_storage()._cdata][1])
            return out
        assert not there or func is torch.ops.aten.detach.default, f"{func} on the device"
        if not there and isinstance(out, Tensor) and out.is_meta:
            assert func is torch.ops.aten._to_copy.default, f"{func} makes a tensor on the device"
            self.left[out.untyped_storage()._cdata] = (out, args[0].detach().clone())
        return out

    def numbers(self, module: nn.Module) -> dict[str, Tensor]:
        """Those that a module would have there."""
        return {name: self.left[value.untyped_storage()._cdata][1] for name, value in module.state_dict().items()}


def make(kind: str) -> nn.Module:
    """A small encoder of a kind from a seed, or of an objective's, with the objective around it where there is one."""
    torch.manual_seed(3)
    encoder = make_encoder(small("vit" if kind in PATCHES else kind), LEADS, 100, PreprocessConfig(), 5.0)
    if kind in PATCHES:
        return make_objective(encoder, PretrainConfig(steps=1, objective={"kind": kind, "hidden": {"leads": 2}}))
    return make_objective(encoder, PretrainConfig(steps=1)) if isinstance(encoder, ECGEncoder) else encoder


@pytest.mark.parametrize("kind", [*SMALL, *PATCHES])
def test_what_leaves_is_what_the_host_would_have(kind):
    """All of it, once it is final: a layer that is drawn again after it has left would be drawn there."""
    expected, departures = make(kind).state_dict(), Departures()
    with departures:
        there = make_on(META, lambda: make(kind))
    found = departures.numbers(there)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert all(value.is_meta for value in there.state_dict().values())


def test_modules_that_are_made_afterwards_stay_where_they_are():
    with pytest.raises(ZeroDivisionError):
        make_on(META, lambda: 1 // 0)
    assert not nn.ModuleList([nn.Linear(1, 1)])[0].weight.is_meta
    assert not make_on(torch.device("cpu"), lambda: nn.ModuleList([nn.Linear(1, 1)]))[0].weight.is_meta


#: Peak of the memory of a process before and after; 6 of the 24 layers of ecglfm-600m, 624 MB of weights.
PEAK = """
import torch
from ecglfm.config import EncoderConfig, EncoderSlice, PreprocessConfig, load
from ecglfm.models.placement import make_on
from ecglfm.models.pretraining import make_objective
from ecglfm.process import tune_process
from ecglfm.training.engine import _import_deepspeed
from ecglfm.training.pretraining import build_encoder, peak_of_process
tune_process()
_import_deepspeed()
config = load(EncoderConfig, "config/encoders/ecglfm-600m.yaml")
config = config.model_copy(update={"model": config.model.model_copy(update={"layers": 6})})
slice_ = EncoderSlice(encoder="x", config=config, preprocess=PreprocessConfig())
before = peak_of_process()
made = make_on(torch.device("meta"), lambda: make_objective(build_encoder(slice_, 0), config.pretrain))
print(sum(value.nbytes for value in made.parameters()), peak_of_process() - before, before)
"""


def test_the_host_holds_a_layer_at_a_time(repository):
    """A layer is 101 MB, what is no layer 16 MB; what a rank imports, PyTorch and DeepSpeed among it, is counted apart."""
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, cwd=repository, check=True)
    whole, held, imported = (int(number) / 1e6 for number in done.stdout.split())
    assert whole > 600
    assert held < 200
    assert torch.version.cuda or imported + held < 800  # its libraries are 0.3 GB more, most of which ranks share
