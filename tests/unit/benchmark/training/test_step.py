"""How much of the machine's matrix rate a step reaches, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ecglfm.benchmark.training import step
from ecglfm.benchmark.training.step import Measurement, _batches
from ecglfm.config import InputConfig
from tests.unit.training.pretraining.small_pretraining import encoder_slice


def test_recordings_of_a_contract_are_made_as_it_says(tmp_path) -> None:
    slice_ = encoder_slice()
    input_ = InputConfig(
        leads=["V1", "II"], sampling_rate=50, window_seconds=2, record=[{"step": "resample", "rate": 50}]
    )
    own = slice_.model_copy(update={"config": slice_.config.model_copy(update={"input": input_})})
    for name, one, shape in (("own", own, (8, 100, 2)), ("none", slice_, (8, 200, 3))):
        (tmp_path / name).mkdir()
        assert _batches(one, one.config.pretrain, tmp_path / name)[0]["signal"].shape == shape


@pytest.mark.parametrize(("decay", "followed"), [(0.9, [1, 2, 3]), (None, [])])
def test_an_average_of_the_weights_is_part_of_a_step_as_it_is_of_a_training(
    monkeypatch: pytest.MonkeyPatch, decay: float | None, followed: list[int]
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(step.EMA, "update", lambda _, number: seen.append(number))
    monkeypatch.setattr(step.Clock, "start", chained(step.Clock.start, lambda: seen.append("start")))
    monkeypatch.setattr(step.Clock, "stop", chained(step.Clock.stop, lambda: seen.append("stop")))
    monkeypatch.setattr(step.Products, "rates", lambda _: np.ones(3))
    step.measure(encoder_slice(ema=decay), segments=4, steps=2, warmup=1)
    timed = [["start", *([number] if number in followed else []), "stop"] for number in (1, 2, 3)]
    assert seen == [part for one in timed for part in one]


def chained(whole: Callable[[object], None], then: Callable[[], None]) -> Callable[[object], None]:
    def both(self: object) -> None:
        whole(self)
        then()

    return both


def test_utilisation_of_each_step() -> None:
    measured = Measurement(
        device="cpu", torch="2", threads=2, parameters=1, segments=1, build_seconds=0.0, seconds=[2.0, 4.0],
        busy=[4.0, 5.0], split={}, rates=[10.0, 20.0], rates_fp32=[1.0, 1.0], rates_busy=[5.0, 4.0], flops=10.0, memory={},
    )  # fmt: skip
    assert measured.utilisation == pytest.approx([10 / 2 / 10, 10 / 4 / 20])
    assert measured.utilisation_busy == pytest.approx([10 / 4 / 5, 10 / 5 / 4])
