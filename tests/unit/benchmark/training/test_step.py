"""How much of the machine's matrix rate a step reaches, by hand."""

from __future__ import annotations

import pytest

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


def test_utilisation_of_each_step() -> None:
    measured = Measurement(
        device="cpu", torch="2", threads=2, parameters=1, segments=1, build_seconds=0.0, seconds=[2.0, 4.0],
        busy=[4.0, 5.0], split={}, rates=[10.0, 20.0], rates_fp32=[1.0, 1.0], rates_busy=[5.0, 4.0], flops=10.0, memory={},
    )  # fmt: skip
    assert measured.utilisation == pytest.approx([10 / 2 / 10, 10 / 4 / 20])
    assert measured.utilisation_busy == pytest.approx([10 / 4 / 5, 10 / 5 / 4])
