"""Rates of each layer of an encoder; gradients that no loss scale mends."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecglfm.config import LEADS, FinetuneConfig, PreprocessConfig, UserError
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.encoders.kinds import ENCODERS, make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.outputs import Logistic, link_of
from ecglfm.training.finetuning import supervised
from ecglfm.training.finetuning.criterion import make_criterion
from ecglfm.training.finetuning.history import EpochPart
from ecglfm.training.finetuning.supervised import Learner, layer_of, parameter_groups
from tests.unit.architectures import architecture, small
from tests.unit.training.finetuning.test_finetune import fit, make_data
from tests.unit.training.finetuning.test_finetune import make_encoder as write_encoder

RATE = 100


@pytest.mark.parametrize(
    ("kind", "options"), [("conformer", {}), ("wav2vec2", {"norm_first": True}), ("wav2vec2", {"norm_first": False})]
)
def test_each_layer_has_its_own_rate(kind: str, options: dict[str, bool]) -> None:
    """Three layers and a decay of a half: 1, 1/2, 1/4 of `lr` from the last one down, 1/8 before the first."""
    kernel = {"positional_kernel": 5, "positional_groups": 4} if kind == "wav2vec2" else {"kernel": 3}
    config = architecture(kind=kind, layers=3, dim=16, ffn_dim=16, heads=2, conv_channels=8, **kernel, **options)
    encoder = ECGEncoder(config, LEADS, RATE, PreprocessConfig(sampling_rate=RATE), 2.5)
    model = ECGModel(encoder, ["a"], "full")
    model.freeze("full", freeze_frontend=False)
    groups = parameter_groups(model, FinetuneConfig(lr=8e-3, head_lr=0.1, layer_decay=0.5))
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    wanted = {f"encoder.{kind}.layers.{layer}.": 2e-3 * 2**layer for layer in range(3)}
    wanted |= {"head.": 0.1, "encoder.frontend.": 1e-3, "encoder.wav2vec2.positional.": 1e-3}
    wanted["encoder.wav2vec2.layer_norm."] = (
        8e-3 if options.get("norm_first") else 1e-3
    )  # behind the layers, or before them
    for name, parameter in model.named_parameters():
        assert rates[id(parameter)] == pytest.approx(next(r for start, r in wanted.items() if name.startswith(start)))
    assert [group["lr"] for group in groups] == pytest.approx([1e-3, 2e-3, 4e-3, 8e-3, 0.1])
    assert [group["lr"] for group in parameter_groups(model, FinetuneConfig(lr=8e-3))] == [8e-3, 8e-3]


def encoder_of(kind):
    torch.manual_seed(0)
    return make_encoder(small(kind), LEADS, 500, PreprocessConfig(), 5.0)


def test_layers_learn_by_their_depth_and_what_closes_the_last_one_learns_as_that():
    encoder = encoder_of("wav2vec2")
    found = {name: layer_of(f"encoder.{name}", encoder) for name, _ in encoder.named_parameters()}
    assert found["frontend.convs.0.weight"] == found["wav2vec2.positional.conv.weight"] == 0
    assert found["wav2vec2.layers.0.fc1.weight"] == 1
    assert found["wav2vec2.layers.1.fc1.weight"] == found["wav2vec2.layer_norm.weight"] == 2
    assert layer_of("encoder.convnet.stem.0.conv.weight", encoder_of("convnet")) == 0
    assert layer_of("encoder.convnet.layers.1.0.narrow.conv.weight", encoder_of("convnet")) == 2


@pytest.mark.parametrize("kind", [kind for kind in ENCODERS if small(kind).weighted])
def test_every_layer_of_every_kind_is_found_by_the_names_of_its_weights(kind: str) -> None:
    """From the front end, 0, to the last one: each layer has weights, and none is beyond it."""
    encoder = encoder_of(kind)
    found = {layer_of(f"encoder.{name}", encoder) for name, _ in encoder.named_parameters()}
    assert found == set(range(encoder.config.depth + 1)), "name the list of an encoder's layers MODULE.layers"


def test_an_encoder_whose_names_tell_no_layer_has_one_rate() -> None:
    encoder = encoder_of("convnet")
    encoder.convnet.blocks = encoder.convnet.layers
    del encoder.convnet.layers
    model = ECGModel(encoder, ["a"], "full")
    rates = [group["lr"] for group in parameter_groups(model, FinetuneConfig(lr=8e-3, head_lr=0.1))]
    assert rates == [8e-3, 0.1]
    with pytest.raises(UserError) as error:
        parameter_groups(model, FinetuneConfig(lr=8e-3, layer_decay=0.5))
    assert str(error.value) == (
        "finetune.layer_decay: 0.5: the weights of this encoder (convnet) tell no layer 1, 2: its class names them"
        " otherwise than MODULE.layers.N; write 1"
    )


@pytest.mark.parametrize("stage", [0, 2])
def test_gradients_that_no_loss_scale_mends_end_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fp16_on_a_processor, stage: int
) -> None:
    """From 2^16 the scale falls to 1 in 17 updates, of which the first only uses up DeepSpeed's hysteresis."""
    make_data(tmp_path)
    write_encoder(tmp_path / "encoder")
    train = supervised._train_epoch

    def steep(engine, learner, criterion, *args):
        planted = replace(criterion, loss=lambda logits, _target: (0 * logits.sum().float()).sqrt())
        return train(engine, learner, planted, *args)

    monkeypatch.setattr(supervised, "_train_epoch", steep)
    with pytest.raises(UserError, match=r"a gradient is not finite in epoch \d, batch \d+; lower `finetune.lr`"):
        fit(tmp_path, tmp_path / "out", epochs=9, batch_size=8, precision="fp16", zero_stage=stage, patience=9)


def test_what_a_batch_said_is_read_before_the_gpu_is_at_work_on_its_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read afterwards, it would be waited for until the update is made, and the next batch fetched only then."""
    make_data(tmp_path)
    write_encoder(tmp_path / "encoder")
    order, outputs, make_update = [], Logistic.outputs, supervised.make_update
    monkeypatch.setattr(Logistic, "outputs", lambda link, logits: order.append("said") or outputs(link, logits))
    monkeypatch.setattr(supervised, "make_update", lambda engine: order.append("update") or make_update(engine))
    fit(tmp_path, tmp_path / "out", epochs=1)
    batches = order.count("update")
    assert batches > 1
    assert order[: 2 * batches] == ["said", "update"] * batches


def test_training_metrics_are_the_mean_over_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other rank has a loss of 3 on 10 labels, 0.9, and no `b`; `c` is defined nowhere. One collective."""
    asked = []

    def reduce_values(values: list[float]) -> list[float]:
        asked.append(values)
        return [(own + other) / 2 for own, other in zip(values, [30.0, 10.0, 0.9, 0, 0, 1, 0, 0], strict=True)]

    monkeypatch.setattr(supervised.distributed, "reduce_values", reduce_values)
    found = supervised._over_ranks(EpochPart(loss=30.0, known=30.0), {"a": 0.5, "b": 0.8, "c": math.nan})
    assert found == pytest.approx({"loss": 1.5, "a": 0.7, "b": 0.8, "c": math.nan}, nan_ok=True)
    assert len(asked) == 1


def test_ranks_that_round_otherwise_judge_an_epoch_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ranks, one of which is 1e-7 off: each by its own numbers, one would stop an epoch before the other."""
    criterion = make_criterion(FinetuneConfig(select_by="loss"), link_of("binary"), np.array([[0.0], [1.0]]))
    target = np.array([[1.0], [0.0]])

    def judged(by: float) -> dict[str, float]:
        learner = Learner(torch.nn.Linear(1, 1), lambda *_: iter(()), lambda _: np.array([[by], [1 - by]]), 1)
        return supervised._validate(learner, criterion, target, 1, None)

    own, other = judged(0.5), judged(0.5 + 1e-7)
    assert own["loss"] > other["loss"]
    assert (own["auroc"], other["auroc"]) == (0.5, 1.0)  # a tie, and none
    said = {"own": own, "other": other}
    asked: list[tuple[list[float], str]] = []

    def together(values: list[float], how: str = "mean") -> list[float]:
        asked.append((values, how))
        return [max(pair) for pair in zip(*(list(one.values()) for one in said.values()), strict=True)]

    monkeypatch.setattr(supervised.distributed, "reduce_values", together)
    assert judged(0.5) == judged(0.5 + 1e-7) == {"loss": own["loss"], "auroc": 1.0}
    assert asked == [(list(own.values()), "max"), (list(other.values()), "max")]
