"""Planted faults: what is not finite never reaches the weights, and every warning says what was planted, once."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from ecglfm.config import PretrainConfig, UserError
from ecglfm.models.bundle import load_encoder
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.tracking import Run
from ecglfm.training.engine import full_state_dict
from ecglfm.training.pretraining import loop
from ecglfm.training.pretraining import pretrain as pretraining
from ecglfm.training.pretraining.encoders import build_encoder
from ecglfm.training.pretraining.layer_probe import LayerState
from ecglfm.training.pretraining.watchdog import Watchdog, hear
from tests.unit.training.pretraining.small_pretraining import (
    StopAfter,
    encoder_slice,
    history,
    pretrain,
    two_ranks,
    weights,
)

ALIVE = LayerState(change=0.1, spread=0.5, gradient=1e-9)
SKIP = {"non_finite": "skip", "max_skipped": 3, "accumulate": 2, "batch_size": 2, "log_every": 1}


def objective(**options):
    """An untrained one."""
    slice_ = encoder_slice(**options)
    return MaskedCodes(build_encoder(slice_, 0), slice_.config.pretrain)


class Faults:
    """Breaks the second forward of some updates, and keeps the state around every update.

    Parameters
    ----------
    kind : {'loss', 'gradient'}
        A signal that is not a number; or a finite loss without a finite gradient.
    steps : set of int
        Updates, the first is 1.
    """

    def __init__(self, kind, steps):
        self.kind, self.steps, self.step, self.forward, self.states = kind, steps, None, 0, {}

    def install(self, monkeypatch):
        update, on_device, forward = loop.update, loop.on_device, MaskedCodes.forward

        def noted(engine, upcoming, step, *args):
            self.step, self.forward = step + 1, 0
            before = self.state(engine)
            try:
                return update(engine, upcoming, step, *args)
            finally:
                self.states[self.step] = (before, self.state(engine))
                self.step = None

        def poisoned(*args):
            x, mask = on_device(*args)
            self.forward += self.step is not None
            if self.kind == "loss" and self.is_due():
                x = x.clone()
                x[0, 0, 5] = math.nan
            return x, mask

        def steep(objective, *args, **kwargs):
            output = forward(objective, *args, **kwargs)
            if self.kind == "gradient" and self.is_due():
                output["loss"] = output["loss"] + (0 * objective.mask_emb.sum()).sqrt()
            return output

        monkeypatch.setattr(loop, "update", noted)
        monkeypatch.setattr(loop, "on_device", poisoned)
        monkeypatch.setattr(MaskedCodes, "forward", steep)
        return self

    def is_due(self):
        return self.step in self.steps and self.forward == 2

    @staticmethod
    def state(engine):
        """Weights, running statistics and Adam's moments."""
        state = full_state_dict(engine, loop.unwrap(engine))
        moments = [
            value.clone()
            for entry in engine.basic_optimizer.state.values()
            for value in entry.values()
            if torch.is_tensor(value)
        ]
        return [value.clone() for value in state.values()] + moments

    def changed(self):
        """Whether each update changed anything."""
        return {
            step: len(before) != len(after) or any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
            for step, (before, after) in self.states.items()
        }


@pytest.mark.parametrize(
    ("kind", "stage"),
    [("loss", 0), ("gradient", 0)]
    + [pytest.param(*which, marks=pytest.mark.slow) for which in [("loss", 1), ("gradient", 2), ("loss", 3)]],
)
def test_a_skipped_update_changes_nothing_and_training_goes_on(prepared, tmp_path, monkeypatch, caplog, kind, stage):
    faults = Faults(kind, {3, 4, 6}).install(monkeypatch)
    assert pretrain(prepared, tmp_path, steps=7, zero_stage=stage, clip_norm=1.0, **SKIP) == 0
    assert faults.changed() == {1: True, 2: True, 3: False, 4: False, 5: True, 6: False, 7: True}
    train = history(tmp_path).query("split == 'train'")
    assert train["skipped"].tolist() == [0, 0, 1, 2, 2, 3, 3]
    assert train["grad_norm"].isna().tolist() == [False, False, True, True, False, True, False]
    training = json.loads((tmp_path / "encoder.json").read_text())["training"]
    assert training["skipped_updates"] == 3
    text = f"the {kind} is not finite: the update is skipped"
    assert training["warnings"] == [{"warning": "skipped_update", "step": 3, "times": 2, "text": text}]
    warned = [record.getMessage() for record in caplog.records if record.name == "ecglfm.training.pretraining.watchdog"]
    assert warned == [f"step 3: {text}", f"step 6: {text}"]
    assert all(torch.isfinite(value).all() for value in load_encoder(tmp_path).state_dict().values())


def test_a_training_with_skipped_updates_resumes_bit_for_bit(prepared, tmp_path, monkeypatch):
    Faults("loss", {3, 4, 6}).install(monkeypatch)
    pretrain(prepared, tmp_path / "calm", steps=7, **SKIP)
    assert pretrain(prepared, tmp_path / "stopped", steps=7, stop=StopAfter(3), **SKIP) == 75  # between 3 and 4
    pretrain(prepared, tmp_path / "stopped", steps=7, **SKIP)
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")
    pd.testing.assert_frame_equal(history(tmp_path / "stopped"), history(tmp_path / "calm"))
    calm, stopped = (json.loads((tmp_path / name / "encoder.json").read_text()) for name in ("calm", "stopped"))
    assert calm == stopped


def test_a_training_that_stopped_goes_on_from_its_last_good_checkpoint_when_told_to_skip(
    prepared, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    faults = Faults("loss", {6}).install(monkeypatch)
    options = {**SKIP, "steps": 7}
    with pytest.raises(UserError, match="the loss is not finite at step 6: stopped before it counts") as error:
        pretrain(prepared, tmp_path / "stopped", **options | {"non_finite": "stop"})
    assert "`non_finite: skip`" in str(error.value)
    assert [path.name for path in (tmp_path / "stopped/checkpoints").glob("step-*")] == ["step-00000004"]
    assert len(faults.states) == 6
    pretrain(prepared, tmp_path / "stopped", **options)
    assert "resumed from step 4 of 7" in caplog.text
    pretrain(prepared, tmp_path / "skipped", **options)
    assert weights(tmp_path / "stopped") == weights(tmp_path / "skipped")


def test_too_many_skipped_in_a_row_stop_the_training(prepared, tmp_path, monkeypatch):
    Faults("loss", {2, 4, 5, 6, 7}).install(monkeypatch)
    with pytest.raises(UserError, match="3 updates in a row were skipped, the last at step 6: the loss is not finite"):
        pretrain(prepared, tmp_path, steps=9, **SKIP)


def test_what_an_objective_warns_of_is_named_as_the_cause():
    class Engine:  # it cannot step
        module = SimpleNamespace(
            buffers=list, warnings=lambda row: {"a": None, "b": f"loss {row['loss']}, {row['masked_fraction']} hidden"}
        )
        zero_optimization = staticmethod(lambda: True)

    output = {"loss": torch.tensor(math.nan), "masked_fraction": torch.tensor(0.5)}
    with pytest.raises(UserError, match=r"not finite at step 8 \(loss nan, 0.5 hidden\): stopped"):
        loop.Guard(Engine(), PretrainConfig(steps=10), 7).finish([output])


def test_what_ranks_hear_is_in_the_order_in_which_it_was_said():
    losses = [torch.tensor(value) for value in (1.0, math.inf, math.nan)]
    assert hear(losses, [True, False], torch.tensor(2.5)) == [0, 1, 1, 1, 0, 2.5]
    assert hear(losses[:1], [], None) == [0]


def plant(monkeypatch, break_weights):
    """Let a training begin with weights that were broken, and stay so."""

    class Broken(MaskedCodes):
        def __init__(self, *args):
            super().__init__(*args)
            for parameter in break_weights(self):
                parameter.requires_grad_(False).zero_()

    monkeypatch.setattr(pretraining, "make_objective", Broken)


def warnings_of(caplog, output):
    """Warnings of the log and of encoder.json."""
    told = [record.getMessage() for record in caplog.records if record.name == "ecglfm.training.pretraining.watchdog"]
    return told, json.loads((output / "encoder.json").read_text())["training"]["warnings"]


def test_a_collapsed_codebook_is_told_once(prepared, tmp_path, monkeypatch, caplog):
    plant(monkeypatch, lambda objective: objective.quantizer.weight_proj.parameters())
    pretrain(prepared, tmp_path, steps=8)
    text = (
        "code perplexity 1.00 is under 2: the codebook has collapsed; raise the weight of `objective.diversity` or"
        " the start of `quantizer.temperature`, or lower `lr`"
    )
    told, kept = warnings_of(caplog, tmp_path)
    assert told == [f"step 4: {text}"]
    assert kept == [{"warning": "codebook_collapse", "step": 4, "times": 1, "text": text}]


def test_a_layer_with_zeroed_output_weights_is_told_once(prepared, tmp_path, monkeypatch, caplog):
    def outputs(objective):
        layer = objective.encoder.context.layers[1]
        modules = [layer.ffn1.w_2, layer.self_attn.linear_out, layer.conv_module.pointwise_conv2, layer.ffn2.w_2]
        return [parameter for module in modules for parameter in module.parameters()]

    plant(monkeypatch, outputs)
    pretrain(prepared, tmp_path, steps=8)
    told, kept = warnings_of(caplog, tmp_path)
    assert told == ["step 4: layer 2 of 2 is dead: it gives back what it gets"]
    assert [(entry["warning"], entry["times"]) for entry in kept] == [("dead_layer_2", 1)]


def test_a_layer_that_no_term_trains_is_told(prepared, tmp_path, caplog):
    """The original's patient term reaches no layer; without codes to predict, nothing is beyond the contrastive one."""
    terms = {"contrastive": {"negatives": 5}, "mlm": {"weight": 0}, "cmsc": {"pool": "frontend"}}
    pretrain(prepared, tmp_path, steps=4, objective=terms)
    told, _ = warnings_of(caplog, tmp_path)
    assert told == ["step 4: layer 2 of 2 is dead: it gets no gradient"]


class Tags(Run):
    """A run that remembers its tags."""

    def __init__(self):
        super().__init__()
        self.tags = {}

    def tag(self, key, value):
        self.tags[key] = value


def test_a_warning_comes_again_only_after_recovery_and_survives_a_checkpoint(caplog):
    watchdog, run, codes = Watchdog(PretrainConfig(steps=1)), Tags(), objective(perplexity_floor=3.0)
    for step, perplexity in enumerate([5.0, 2.5, 1.0, 3.0, 2.0], 1):
        row = {"loss": 1.0, "code_perplexity": perplexity, "masked_fraction": 0.4}
        watchdog.examine(step, codes.warnings(row), [ALIVE], run)
        if step == 3:
            state = json.loads(json.dumps(watchdog.state_dict()))
            watchdog = Watchdog(PretrainConfig(steps=1))
            watchdog.load_state_dict(state)
    assert [message[:30] for message in caplog.messages] == [
        "step 2: code perplexity 2.50 i", "step 5: code perplexity 2.00 i",
    ]  # fmt: skip
    (kept,) = watchdog.summary()
    assert (kept["step"], kept["times"], kept["text"][:32]) == (2, 2, "code perplexity 2.50 is under 3:")
    assert list(run.tags) == ["warning.codebook_collapse"]
    assert run.tags["warning.codebook_collapse"].startswith("step 5: code perplexity 2.00 is under 3")


def test_each_way_to_be_dead_is_told(caplog):
    watchdog, run = Watchdog(PretrainConfig(steps=1)), Tags()
    row = {"loss": 1.0, "code_perplexity": 9.0}
    layers = [ALIVE, ALIVE._replace(change=1e-8), ALIVE._replace(spread=0.0), ALIVE._replace(gradient=0.0)]
    watchdog.examine(7, objective().warnings(row), layers, run)
    assert caplog.messages == [
        "step 7: layer 2 of 4 is dead: it gives back what it gets",
        "step 7: layer 3 of 4 is dead: it gives every frame the same vector",
        "step 7: layer 4 of 4 is dead: it gets no gradient",
    ]
    assert set(run.tags) == {f"warning.dead_layer_{number}" for number in (2, 3, 4)}


RANK = """
import pytest
from tests.unit.training.pretraining.test_watchdog import Faults
from ecglfm import distributed
Faults("loss", {{3}} if distributed.rank() == 1 else set()).install(pytest.MonkeyPatch())
options = dict(steps=5, accumulate=2, batch_size=2, log_every=1, zero_stage={stage}, non_finite={policy!r})
sys.exit(pretrain(Path({prepared!r}), Path({output!r}), **options))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "stage"), [("skip", 2), ("stop", 0)])
def test_all_ranks_skip_or_stop_for_the_fault_of_one(prepared, tmp_path, policy, stage):
    code = RANK.format(prepared=str(prepared), output=str(tmp_path / "run"), policy=policy, stage=stage)
    statuses, said = two_ranks(code, tmp_path / "store")
    if policy == "stop":
        assert statuses == [1, 1]
        assert all("UserError: the loss is not finite at step 3" in text for text in said)
        return
    assert statuses == [0, 0], said
    training = json.loads((tmp_path / "run/encoder.json").read_text())["training"]
    assert (training["processes"], training["skipped_updates"]) == (2, 1)
    assert all(torch.isfinite(value).all() for value in load_encoder(tmp_path / "run").state_dict().values())
