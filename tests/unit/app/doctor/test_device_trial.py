"""What the trial sees on a processor: numbers that agree, a kernel that is wrong, and ranks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch
import yaml

from ecglfm.app.doctor import device_trial
from ecglfm.app.doctor.device import judge
from ecglfm.config import InputConfig
from ecglfm.models.pretraining import make_objective
from ecglfm.training.launcher import environments
from tests.integration import warm
from tests.unit.training.pretraining.small_pretraining import encoder_slice
from tests.unit.training.pretraining.test_patch_training import patch_slice

CPU = torch.device("cpu")


def test_a_processor_agrees_with_itself() -> None:
    """float32 and TF32 to the bit, bfloat16 not quite; dropout, which the encoder has, is left out."""
    found = {seen["precision"]: seen for seen in device_trial.compare(encoder_slice(), CPU)}
    assert list(found) == ["fp32", "tf32", "bf16"]
    for precision in ("fp32", "tf32"):
        assert (found[precision]["loss"], *found[precision]["frontend"], found[precision]["layer"][1]) == (0, 0, 0, 0)
    assert found["bf16"]["loss"] > 0
    assert min(*found["bf16"]["frontend"], found["bf16"]["layer"][1]) > 1e-4
    assert [judge("tiny", seen).level for seen in found.values()] == ["ok", "ok", "ok"]


def test_patches_stand_for_a_front_end() -> None:
    slice_ = patch_slice("jepa")
    found = {seen["precision"]: seen for seen in device_trial.compare(slice_, CPU)}
    assert (found["fp32"]["loss"], *found["fp32"]["frontend"], found["fp32"]["layer"][1]) == (0, 0, 0, 0)
    assert found["bf16"]["frontend"][1] > 1e-4
    assert found["bf16"]["layer"][0].startswith("encoder.vit.layers.")
    assert [judge("jepa", seen).level for seen in found.values()] == ["ok", "ok", "ok"]


def test_an_encoder_with_a_contract_is_tried_on_what_that_makes() -> None:
    slice_ = encoder_slice()
    input_ = InputConfig(
        leads=["V1", "II"], sampling_rate=50, window_seconds=2, record=[{"step": "resample", "rate": 50}]
    )
    own = slice_.model_copy(update={"config": slice_.config.model_copy(update={"input": input_})})
    signal = device_trial.noise_of(own, 3)["signal"]
    assert (signal.shape, signal.dtype) == ((6, 100, 2), torch.float32)
    assert signal.mean() == pytest.approx(2, abs=0.05)  # mV
    assert device_trial.noise_of(slice_, 3)["signal"].dtype == torch.int16
    assert next(device_trial.compare(own, CPU))["loss"] == 0


@pytest.mark.parametrize("wrong", ["forward", "backward"])
def test_a_wrong_kernel_is_a_fault_and_has_a_place(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """In bfloat16 alone the first feed-forward module of the second layer gives, or hands back, twice what it should."""

    def spoiled(_module, _inputs, out):
        if not torch.is_autocast_enabled("cpu"):
            return out
        return 2 * out if wrong == "forward" else out + (out - out.detach())

    def planted(encoder, config):
        objective = make_objective(encoder, config)
        objective.encoder.context.layers[1].ffn1.register_forward_hook(spoiled)
        return objective

    monkeypatch.setattr(device_trial, "make_objective", planted)
    found = {seen["precision"]: judge("tiny", seen) for seen in device_trial.compare(encoder_slice(), CPU)}
    assert [found[precision].level for precision in ("fp32", "tf32", "bf16")] == ["ok", "ok", "fail"]
    assert ", encoder.conformer.layers.1 " in found["bf16"].text


def test_a_bandwidth_is_that_of_the_busiest_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 ranks, 5 times 4 MB in 2 s: each link sends 1.5 times as much."""
    clock = iter([1.0, 3.0])
    monkeypatch.setattr(device_trial.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(device_trial.dist, "all_reduce", lambda _: None)
    monkeypatch.setattr(device_trial.distributed, "world_size", lambda: 4)
    assert device_trial.bandwidth(CPU, 1_000_000) == pytest.approx(1.5 * 5 * 4e6 / 2 / 1e9)


@pytest.mark.slow
def test_two_ranks_make_updates(tmp_path: Path) -> None:
    path = tmp_path / "slice.yaml"
    path.write_text(yaml.safe_dump(encoder_slice(zero_stage=1, accumulate=2).model_dump(mode="json")))
    ranks = [
        subprocess.Popen(
            [warm.script(), device_trial.__file__, "train", str(path)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for environment in environments(2, tmp_path / "store")
    ]  # fmt: skip
    said = [rank.communicate(timeout=200) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], said
    speed, update = map(json.loads, said[0][0].splitlines())
    assert speed["bandwidth"] > 0
    assert update["segments"] == 2 * 4 * 2 * 2  # pairs, forwards, ranks
    assert (update["seconds"] > 0, update["memory"], 0.2 < update["host"] < 8) == (True, 0, True)
    assert said[1][0] == ""  # one for both
