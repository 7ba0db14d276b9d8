"""How much of the machine's matrix rate a step reaches, by hand."""

from __future__ import annotations

import pytest

from ecglfm.benchmark.step import Measurement


def test_utilisation_of_each_step() -> None:
    measured = Measurement(
        device="cpu", torch="2", threads=2, parameters=1, segments=1, build_seconds=0.0, seconds=[2.0, 4.0],
        busy=[4.0, 5.0], split={}, rates=[10.0, 20.0], rates_fp32=[1.0, 1.0], rates_busy=[5.0, 4.0], flops=10.0, memory={},
    )  # fmt: skip
    assert measured.utilisation == pytest.approx([10 / 2 / 10, 10 / 4 / 20])
    assert measured.utilisation_busy == pytest.approx([10 / 4 / 5, 10 / 5 / 4])
