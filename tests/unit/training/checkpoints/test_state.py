"""What a checkpoint holds goes back into an engine of any ZeRO stage; fp16's loss scaler and float32 copies with it."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from ecglfm.training.checkpoints.state import scaler_state
from ecglfm.training.pretraining.pretrain import Pretraining
from tests.unit.training.pretraining.small_pretraining import StopAfter, history, pretrain, weights


@pytest.fixture
def fp16(fp16_on_a_processor):
    """Options of an fp16 training whose loss scale doubles every third update."""
    scale = {"fp16": {"initial_scale_power": 10, "loss_scale_window": 3, "hysteresis": 1}}
    return {"precision": "fp16", "log_every": 1, "validate_every": 100, "deepspeed": scale}


@pytest.mark.parametrize(
    "stage", [0, 2, pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_fp16_resumes_bit_for_bit_with_its_scaler(prepared, tmp_path, monkeypatch, fp16, stage):
    scalers, save = {}, Pretraining.save

    def noted(self, engine, step):
        scalers.setdefault(step, []).append(scaler_state(engine))
        save(self, engine, step)

    monkeypatch.setattr(Pretraining, "save", noted)
    pretrain(prepared, tmp_path / "calm", zero_stage=stage, **fp16)
    assert pretrain(prepared, tmp_path / "stopped", stop=StopAfter(5), zero_stage=stage, **fp16) == 75
    pretrain(prepared, tmp_path / "stopped", zero_stage=stage, **fp16)
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")
    pd.testing.assert_frame_equal(history(tmp_path / "stopped"), history(tmp_path / "calm"))
    assert scalers[12][0] == scalers[12][1]
    assert (scalers[5][0]["cur_iter"], scalers[12][0]["cur_iter"]) == (5, 12)
    assert scalers[12][0]["cur_scale"] > scalers[5][0]["cur_scale"] > 2**10


@pytest.mark.parametrize(
    ("stage", "offloaded"),
    [
        (1, ["offload_optimizer"]),
        pytest.param(3, ["offload_optimizer", "offload_param"], marks=pytest.mark.slow),
    ],
)
def test_what_is_offloaded_resumes_bit_for_bit(prepared, tmp_path, stage, offloaded):
    """The losses are those of a training that offloads nothing."""
    away = {"deepspeed": {"zero_optimization": {key: {"device": "cpu"} for key in offloaded}}}
    options = {"zero_stage": stage, "log_every": 1, "steps": 8}
    pretrain(prepared, tmp_path / "here", **options)
    pretrain(prepared, tmp_path / "calm", **options, **away)
    assert pretrain(prepared, tmp_path / "stopped", stop=StopAfter(5), **options, **away) == 75
    pretrain(prepared, tmp_path / "stopped", **options, **away)
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")
    here, calm, stopped = (history(tmp_path / name) for name in ("here", "calm", "stopped"))
    pd.testing.assert_frame_equal(stopped, calm)
    assert here["loss"].iloc[-1] != here["loss"].iloc[0]
    assert (here["loss"] - calm["loss"]).abs().max() < 1e-5


@pytest.mark.parametrize("stages", [(0, 2), (3, 0)])
def test_another_stage_goes_on(prepared, tmp_path, stages):
    options = {"log_every": 1, "steps": 8}
    pretrain(prepared, tmp_path / "calm", zero_stage=stages[0], **options)
    assert pretrain(prepared, tmp_path / "moved", stop=StopAfter(5), zero_stage=stages[0], **options) == 75
    pretrain(prepared, tmp_path / "moved", zero_stage=stages[1], **options)
    calm, moved = (history(tmp_path / name) for name in ("calm", "moved"))
    assert calm["step"].tolist() == moved["step"].tolist()
    assert (calm["loss"] - moved["loss"]).abs().max() < 1e-4
    assert not (tmp_path / "moved" / "checkpoints.set-aside-1").exists()


def test_a_checkpoint_holds_everything_once(prepared, tmp_path):
    pretrain(prepared, tmp_path, steps=4, ema=0.9, zero_stage=2)
    stored = load_file(tmp_path / "checkpoints" / "step-00000004" / "rank-00000.safetensors")
    encoder = load_file(tmp_path / "encoder.safetensors")
    averages = {name: value for name, value in stored.items() if name.startswith("average/")}
    assert sorted(averages) == sorted(f"average/{name}@0" for name in encoder)  # the average is what is written
    for name, value in encoder.items():
        torch.testing.assert_close(averages[f"average/{name}@0"], value.flatten(), rtol=0, atol=0)
    kinds = {
        kind: {name for name in stored if name.startswith(f"{kind}/")} for kind in ("weight", "exp_avg", "exp_avg_sq")
    }
    assert len(kinds["weight"]) == len(kinds["exp_avg"]) == len(kinds["exp_avg_sq"]) > 50
    buffers = {name for name in stored if name.startswith("buffer/")}
    assert len(stored) == len(averages) + len(buffers) + 3 * len(kinds["weight"])
    running = {name for name in encoder if "running_" in name or "num_batches" in name}
    assert {f"buffer/encoder.{name}@0" for name in running} <= buffers
