"""One step of a training on fake CUDA tensors: no data, no GPU, seconds.

Run as a process of its own, because the stand-in for the CUDA runtime must be loaded before torch:

    python fake_step.py GUARD.so NAME...   ->  a line of JSON for each: what `Step` found

A NAME is an encoder of `config/encoders` or one of `OTHERS`, with `+finetune` behind it for a step of fine-tuning,
`+predict` for what is asked of a model, or `+count` for the operations of two steps of pretraining. Shapes, types and devices are the product's own; no kernel runs.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBRARIES = Path(importlib.util.find_spec("torch").origin).parent / "lib"
for _library in (_LIBRARIES / "libc10.so", _LIBRARIES / "libtorch_cpu.so", sys.argv[1]):
    _guard = ctypes.CDLL(str(_library), mode=ctypes.RTLD_GLOBAL)

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.testing._internal.distributed.fake_pg import FakeStore  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

_guard.stand_in()  # where torch is a CUDA build, in whose place it stands
torch.cuda.is_available, torch.cuda.current_device = lambda: True, lambda: 0
torch.cuda.is_bf16_supported = lambda *_, **__: True

from ecglfm import gpu  # noqa: E402
from ecglfm.benchmark.gpu import rules  # noqa: E402
from ecglfm.benchmark.gpu.traffic import Traffic  # noqa: E402
from ecglfm.config import EncoderConfig, FinetuneConfig, PreprocessConfig, load  # noqa: E402
from ecglfm.models.encoders import Encoder, make_encoder  # noqa: E402
from ecglfm.models.heads import ECGModel  # noqa: E402
from ecglfm.models.layers import initialization  # noqa: E402
from ecglfm.models.pretraining import MaskedCodes, ReportAlignment, make_objective  # noqa: E402
from ecglfm.models.pretraining.patch_objective import PatchObjective  # noqa: E402
from ecglfm.models.reference import signal_numbers  # noqa: E402
from ecglfm.training.finetuning.losses import make_loss  # noqa: E402
from ecglfm.training.precision import Autocast, calculating  # noqa: E402
from ecglfm.training.pretraining import Upcoming, update, watchdog  # noqa: E402

initialization.normal_ = lambda tensor, std: None  # draws a seed, and reads it; weights are fake here

PAIRS = 2
#: Kinds that no config ships an encoder of.
OTHERS = {
    "synced": {
        "model": {
            "kind": "conformer",
            "layers": 2,
            "dim": 32,
            "ffn_dim": 64,
            "heads": 2,
            "norm": "batch",
            "norm_sync": True,
        },
        "weights": "random",
    },
    "wav2vec2": {
        "model": {"kind": "wav2vec2", "layers": 2, "dim": 32, "ffn_dim": 64, "heads": 2},
        "weights": "pretrain",
        "pretrain": {"steps": 1},
    },
    "resnet": {
        "model": {"kind": "resnet", "dim": 16, "widths": [8, 16], "blocks": [1, 1], "strides": [1, 2], "stem": [5, 2]},
        "weights": "random",
    },
}
#: Operations whose result is read on the host, which waits for the device.
_WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "_unique2", "equal", "bincount"}
_PRODUCTS = {"mm", "addmm", "bmm", "convolution"}


class Step(TorchDispatchMode):
    """Watches a step.

    Attributes
    ----------
    waits, crossings : list of str
        Where the host reads from the device, or copies to it from memory that is not pinned; and where a tensor goes from
        one device to another, but for pinned ones that nobody waits for: their number is `arrivals`.
    products : list of list of str
        Types of the factors of each matrix product and convolution, and whether float32 may be TF32 in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        self.crossings: list[str] = []
        self.arrivals = 0
        self.products: list[list[str]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        before = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        name = func._schema.name.split("::")[1]
        if name in _WAITS and any(x.is_cuda for x in before):
            self.waits.append(f"{name} at {_place()}")
        out = func(*args, **kwargs)
        devices = {x.device.type for x in [*before, *tree_leaves(out)] if isinstance(x, Tensor)}
        if name in {"_to_copy", "copy_"} and len(devices) > 1:
            if before[-1].is_cuda or not kwargs.get("non_blocking") or not getattr(before[-1], "pinned", False):
                self.crossings.append(_place())
            else:
                self.arrivals += 1
        if name in _PRODUCTS:
            numbers = [str(x.dtype).removeprefix("torch.") for x in before[:2]]
            self.products.append([*numbers, "tf32" if torch.backends.cudnn.allow_tf32 else ""])
        return out


def _place() -> str:
    """Line of the product that is being run."""
    for frame in reversed(traceback.extract_stack()):
        if "/ecglfm/" in frame.filename and "/tests/" not in frame.filename:
            return f"{frame.filename.rsplit('/ecglfm/', 1)[1]}:{frame.lineno}"
    return "torch"


def bincount(x: Tensor, minlength: int = 0, **_: object) -> Tensor:
    """CUDA's reads the smallest and the largest number on the host; fake tensors have none."""
    for mode in torch.utils._python_dispatch._get_current_dispatch_mode_stack():
        if isinstance(mode, Step):
            mode.waits.append(f"bincount at {_place()}")
    return torch.empty(minlength, dtype=torch.int64, device=x.device)


torch.bincount = bincount


def read(values_n: Tensor) -> list[float]:
    """Nothing is wrong on any rank."""
    for mode in torch.utils._python_dispatch._get_current_dispatch_mode_stack():
        if isinstance(mode, Step):
            mode.waits.append(f"read at {_place()}")
    return [0.0] * len(values_n)


def pinned(x: Tensor) -> Tensor:
    """The same; without CUDA nothing can be."""
    x.pinned = True
    return x


def on_the_host(prepare):
    """Masks are drawn in earnest there; only what comes of it is fake, too, and pinned where that is."""

    def fake(x: Tensor) -> Tensor:
        return pinned(torch.empty_like(x)) if getattr(x, "pinned", False) else torch.empty_like(x)

    def drawn(*args):
        with unset_fake_temporarily():
            prepared = prepare(*args)
        return [hidden.each(fake) for hidden in prepared]

    return drawn


watchdog.read, Tensor.pin_memory = read, pinned
MaskedCodes.prepare = on_the_host(MaskedCodes.prepare)
PatchObjective.prepare = on_the_host(PatchObjective.prepare)


class Engine:
    """What DeepSpeed's does without ZeRO, but for the step of the optimizer."""

    device = torch.device("cuda")
    optimizer = None

    def __init__(self, objective: nn.Module) -> None:
        self.module = Autocast(objective, torch.bfloat16)

    def __call__(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def backward(self, loss: Tensor) -> None:
        self.loss = loss
        loss.backward()

    def step(self) -> None:
        """Nothing."""

    def no(self) -> bool:
        return False

    zero_optimization = fp16_enabled = no


def onto_cuda(module: nn.Module) -> None:
    """Fake weights and buffers where a GPU has them."""
    for part in module.modules():
        for name, value in part._parameters.items():
            if value is not None:
                part._parameters[name] = nn.Parameter(torch.empty(value.shape, device="cuda"))
        for name, value in part._buffers.items():
            if value is not None:
                part._buffers[name] = torch.empty(value.shape, dtype=value.dtype, device="cuda")


@contextmanager
def watched(module: nn.Module, found: dict[str, object]) -> Iterator[Step]:
    """A step of `module` with TF32 allowed; what it did stands in `found` afterwards."""
    with Step() as step, gpu.tf32(True):
        yield step
    found["waits"], found["crossings"] = step.waits, step.crossings
    found["first"], found["second"] = step.products[:2]
    found["arrivals"] = step.arrivals
    found["without_gradient"] = [
        name
        for name, value in module.named_parameters()
        if value.requires_grad and (value.grad is None or not value.grad.is_cuda)
    ]


@contextmanager
def two_ranks(wanted: bool) -> Iterator[None]:
    """As one of two, where wanted; the other is played, and nothing is sent."""
    if wanted:
        dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        yield
    finally:
        if wanted:
            dist.destroy_process_group()


def encoder_of(name: str) -> tuple[EncoderConfig, Encoder, int]:
    """An encoder's config, the encoder and the samples of a crop."""
    config = (
        EncoderConfig.model_validate(OTHERS[name])
        if name in OTHERS
        else load(EncoderConfig, f"config/encoders/{name}.yaml")
    )
    prepared = PreprocessConfig()
    seconds, rate = config.pretrain.crop_seconds if config.pretrain else 5.0, prepared.sampling_rate
    encoder = make_encoder(config.model, prepared.leads, int(rate), prepared, seconds)
    return config, encoder, round(seconds * rate)


def pretrain(name: str) -> dict[str, object]:
    """The product's own update, after the one that fills its tables."""
    config, encoder, samples = encoder_of(name)
    assert config.pretrain is not None
    once = config.pretrain.model_copy(update={"accumulate": 1})
    objective = make_objective(encoder, once).train()
    onto_cuda(objective)
    engine, rows, leads, found = Engine(objective), 2 * PAIRS, len(encoder.leads), {}
    batches = [
        {
            "signal": pinned(torch.empty(rows, samples, leads, dtype=torch.int16)),
            "lead_mask": pinned(torch.empty(rows, leads, dtype=torch.bool)),
        }
        for _ in range(3)
    ]
    if isinstance(objective, ReportAlignment):
        for batch in batches:
            batch["report"] = pinned(torch.empty(rows, dtype=torch.int64))
            batch["report_vector"] = pinned(torch.empty(rows, objective.text_dim))
    upcoming = Upcoming(objective, iter(batches), once)
    for step in range(2):
        with watched(objective, found):
            update(engine, upcoming, step, once, lambda: [False, False])
        found["loss"] = str(engine.loss.device)
    return found


def count(name: str) -> dict[str, object]:
    """Operations with their bytes, and how often each is there in two updates."""
    functional.scaled_dot_product_attention = rules._attention  # PyTorch would ask CUDA for the kernel
    with Traffic() as traffic:
        pretrain(name)
    found = Counter((one.name, one.bytes, str(one.dtype)) for one in traffic.operations)
    return {"operations": [[*one, times] for one, times in found.items()]}


def finetune(name: str) -> dict[str, object]:
    """A forward and a backward of a model of two labels, all of which learns, of padded records."""
    _, encoder, samples = encoder_of(name)
    model = ECGModel(encoder, ["a", "b"], "full").train()
    onto_cuda(model)
    found: dict[str, object] = {}
    training, loss_of = Autocast(model, torch.bfloat16), make_loss(FinetuneConfig(), model.link, np.zeros((4, 2)))
    for _ in range(2):
        x = torch.empty(4, len(encoder.leads), samples, device="cuda")
        mask = torch.empty(4, samples, dtype=torch.bool, device="cuda")
        target = torch.empty(4, 2, device="cuda")
        with two_ranks(name == "synced"), watched(model, found):
            loss = loss_of(training(x, mask), target)
            loss.backward()
        found["loss"] = str(loss.device)
    return found


def predict(name: str) -> dict[str, object]:
    """Vectors and answers in bf16 and numbers of the signal, as of `predict_described`, of padded records."""
    _, encoder, samples = encoder_of(name)
    model = ECGModel(encoder, ["a", "b"], "linear").eval()
    onto_cuda(model)
    found: dict[str, object] = {}
    for _ in range(2):
        x = torch.empty(4, len(encoder.leads), samples, device="cuda")
        mask = torch.empty(4, samples, dtype=torch.bool, device="cuda")
        real = torch.empty(4, dtype=torch.int64, device="cuda")
        with watched(model, found), torch.no_grad():
            with calculating("bf16", x.device):
                vectors = model.embed(x, mask)
            answers = model.outputs(model.head(vectors.float()))
            numbers = signal_numbers(x, real, encoder.sampling_rate)
        found["loss"] = str(torch.cat([answers, numbers], dim=1).device)
    return found | {"without_gradient": []}


def main() -> None:
    """A line for each step."""
    for name in sys.argv[2:]:
        encoder, _, kind = name.partition("+")
        with FakeTensorMode(allow_non_fake_inputs=True):
            found = {"": pretrain, "finetune": finetune, "predict": predict, "count": count}[kind](encoder)
        sys.stdout.write(json.dumps({"step": name} | found) + "\n")


if __name__ == "__main__":
    main()
