"""The engine does what plain PyTorch does, and how it is carried out does not change what comes out."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from ecglfm import distributed
from ecglfm.config import FinetuneConfig, UserError
from ecglfm.models.layers import ChannelsFirstBatchNorm, MaskedBatchNorm
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.training import engine as engines
from ecglfm.training.checkpoints.checkpoint import config_hash
from ecglfm.training.compilation import compile_problem
from ecglfm.training.engine import initialize
from ecglfm.training.pretraining.encoders import build_encoder
from tests.unit.architectures import architecture
from tests.unit.training.pretraining.small_pretraining import encoder_slice


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(5, 3)

    def forward(self, x):
        return self.linear(x)


def test_updates_are_those_of_adamw_without_a_copy_of_the_gradients(monkeypatch):
    distributed.init()
    ours, plain = Linear(), Linear()
    engine = initialize(ours, FinetuneConfig(lr=1e-2, weight_decay=0.1, batch_size=2, accumulate=2))
    monkeypatch.setattr(engine, "allreduce_bucket", lambda *_: pytest.fail("gradients were copied into a bucket"))
    optimizer = torch.optim.AdamW(
        plain.parameters(), lr=1e-2, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.1, fused=False
    )
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        optimizer.zero_grad()
        for _ in range(2):
            x = torch.randn(2, 5, generator=generator)
            engine.backward(engine(x).square().mean())
            engine.step()
            (plain(x).square().mean() / 2).backward()
        optimizer.step()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_every_start_says_what_it_calculates_on(caplog):
    distributed.init()
    with caplog.at_level("INFO", logger="ecglfm"):
        initialize(Linear(), FinetuneConfig())
    assert "rank 0 of 1 on cpu, gloo, fp32" in caplog.messages


def test_moments_are_there_before_the_first_step():
    """Two of each of 18 numbers: weight (3, 5) and bias (3,)."""
    distributed.init()
    states = initialize(Linear(), FinetuneConfig()).basic_optimizer.state.values()
    for moment in ("exp_avg", "exp_avg_sq"):
        assert sorted(state[moment].numel() for state in states) == [3, 15]
        assert not any(state[moment].any() for state in states)


def test_compilation_needs_a_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    config = encoder_slice(compile=True)
    objective = MaskedCodes(build_encoder(config, 0), config.config.pretrain)
    with pytest.raises(UserError, match=r"pretrain.compile: true needs a C\+\+ compiler: there is no no-such-compiler"):
        initialize(objective, config.config.pretrain)


def test_an_offloaded_optimizer_makes_the_same_step():
    """DeepSpeed asks for its own Adam there, which it would compile."""
    distributed.init()
    steps = []
    for offload in ({}, {"offload_optimizer": {"device": "cpu"}}):
        config = encoder_slice(zero_stage=2, deepspeed={"zero_optimization": offload}).config.pretrain
        module = Linear()
        module.encoder = SimpleNamespace(context=SimpleNamespace())
        engine = initialize(module, config)
        engine.backward(engine(torch.linspace(-1, 1, 10).view(2, 5)).square().mean())
        engine.step()
        steps.append({name: value.clone() for name, value in module.state_dict().items()})
    assert not torch.equal(steps[0]["linear.weight"], Linear().state_dict()["linear.weight"])
    for name, value in steps[0].items():
        torch.testing.assert_close(steps[1][name], value, rtol=1e-5, atol=1e-6)


def test_only_what_gives_the_same_numbers_resumes_the_same_training():
    assert config_hash(encoder_slice(activation_checkpointing=True)) == config_hash(encoder_slice())
    assert config_hash(encoder_slice(compile=True)) != config_hash(encoder_slice())
    half = {"precision": "bf16", "half_residual": True}
    assert config_hash(encoder_slice(**half)) != config_hash(encoder_slice(precision="bf16"))


def test_a_half_residual_is_set_where_there_is_one():
    half = encoder_slice(precision="bf16", half_residual=True).config.pretrain
    objective = SimpleNamespace(encoder=SimpleNamespace(context=SimpleNamespace(half_residual=False)))
    engines.prepare_layers(objective, half)
    assert objective.encoder.context.half_residual
    del objective.encoder.context.half_residual
    with pytest.raises(UserError, match=r"pretrain.half_residual: only a Conformer \(model.kind\) has it"):
        engines.prepare_layers(objective, half)


@pytest.mark.parametrize("compiled", [False, True])
def test_fp8_that_is_not_compiled_is_told_to_be_slow(monkeypatch, caplog, compiled):
    monkeypatch.setattr(engines, "use_float8", lambda _: None)
    monkeypatch.setattr(engines, "compile_layers", lambda *_, **__: None)
    config = encoder_slice(precision="fp8", compile=compiled).config.pretrain
    engines.prepare_layers(SimpleNamespace(encoder=SimpleNamespace(context=SimpleNamespace())), config)
    assert ("compile: false is slower than bf16" in caplog.text) is not compiled


def step_of(kind: str, **options):
    """Loss, gradients, buffers and calls of the first layer of one forward and backward, with dropout."""
    slice_ = encoder_slice(**options)
    pretrain = slice_.config.pretrain
    model = architecture(
        kind=kind, layers=2, dim=16, ffn_dim=32, heads=2, conv_channels=8, conv_layers=[(4, 4), (2, 2)],
        dropout=0.2 if not pretrain.compile else 0.0,
    )  # fmt: skip
    slice_ = slice_.model_copy(update={"config": slice_.config.model_copy(update={"model": model})})
    objective = MaskedCodes(build_encoder(slice_, 0), pretrain)
    distributed.init()
    engine = initialize(objective, pretrain)
    calls = []
    objective.encoder.context.layers[0].register_forward_pre_hook(lambda *_: calls.append(1))
    x = torch.randn((8, 3, 200), generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    loss = engine(x, step=0, generator_seed=3)["loss"]
    engine.backward(loss)
    gradients = [parameter.grad for parameter in objective.parameters()]
    return loss.detach(), gradients, list(objective.buffers()), len(calls)


@pytest.mark.parametrize("kind", ["conformer", "wav2vec2"])
def test_activations_that_are_computed_again_are_the_same_to_the_bit(kind):
    """Dropout is drawn alike, and running statistics move once."""
    loss, gradients, buffers, calls = step_of(kind)
    loss_again, gradients_again, buffers_again, calls_again = step_of(kind, activation_checkpointing=True)
    assert (calls, calls_again) == (1, 2)
    assert torch.equal(loss, loss_again)
    for one, other in zip([*gradients, *buffers], [*gradients_again, *buffers_again], strict=True):
        assert torch.equal(one, other)


@pytest.mark.pinned_torch
@pytest.mark.slow
@pytest.mark.skipif(compile_problem() is not None, reason=f"torch.compile lacks {compile_problem()}")
def test_compiled_layers_give_the_same_loss_and_gradients(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("torch._inductor.config.compile_threads", 1)  # no processes that stay
    monkeypatch.setattr("torch._inductor.config.cpp_wrapper", True)  # one file for the compiler of a graph, not 22
    monkeypatch.setattr("torch._inductor.config.cpp.simdlen", 1)  # the same code whatever the processor, and shorter
    counters.clear()
    compiled = step_of("conformer", compile=True)
    assert counters["stats"]["unique_graphs"] > 0
    monkeypatch.setattr(engines, "prepare_layers", lambda *_: None)  # as `compile: false`
    plain = step_of("conformer", compile=True)
    torch.testing.assert_close(compiled[0], plain[0], rtol=1e-5, atol=0)
    for one, other in zip(compiled[1], plain[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_a_rank_says_what_it_calculates_on(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "16")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    monkeypatch.setattr(torch.distributed, "get_backend", lambda: "nccl")
    said = engines.describe_rank(torch.device("cuda", 0), "bf16")
    assert said == "rank 0 of 16 on cuda:0 NVIDIA H100, nccl, bf16"


@pytest.mark.parametrize(
    ("ranks", "norm", "told"),
    [
        (2, MaskedBatchNorm(3), True),
        (2, MaskedBatchNorm(3, sync=True), False),
        (2, MaskedBatchNorm(3).eval(), False),  # of a frozen encoder
        (2, ChannelsFirstBatchNorm(3), True),
        (1, MaskedBatchNorm(3), False),
    ],
)
def test_ranks_with_statistics_of_their_own_are_told(monkeypatch, caplog, ranks, norm, told):
    monkeypatch.setenv("WORLD_SIZE", str(ranks))
    engines._say_batch_norm(nn.Sequential(norm), FinetuneConfig(batch_size=7))
    assert ("over the 7 records of each process, not over those of all 2" in caplog.text) is told


#: One update of AdamW by hand, lr 0.5: no gradient flows through it, and 1 - 0.5 is left of a weight of 1.
UPDATE = """
import sys, torch
from ecglfm.config import FinetuneConfig
from ecglfm.training.engine import initialize
from ecglfm.training.pretraining import run_pretrain
from ecglfm import distributed
distributed.init()
layer = torch.nn.Linear(1, 1, bias=False)
torch.nn.init.ones_(layer.weight)
engine = initialize(layer, FinetuneConfig(lr=0.5, weight_decay=0.0, zero_stage=int(sys.argv[1])))
engine.backward(engine(torch.ones(1, 1)).sum())
engine.step()
assert abs(layer.weight.item() - 0.5) < 1e-6 and layer.weight.requires_grad, layer.weight
print([name for name in ("mlflow", "torch._dynamo", "sympy", "scipy.signal") if name in sys.modules])
"""


@pytest.mark.pinned_torch
@pytest.mark.parametrize("stage", ["0", "2"])
def test_an_update_brings_neither_mlflow_nor_the_compiler_along(stage):
    """Seconds of every process of a training, of which one at most logs, few compile and hardly one filters."""
    done = subprocess.run([sys.executable, "-c", UPDATE, stage], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
