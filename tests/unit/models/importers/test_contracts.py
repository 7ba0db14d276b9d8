"""Input contracts of published encoders: every one is a section `input`."""

from __future__ import annotations

import pytest

from ecglfm.config import InputConfig, PreprocessConfig, check_input, parse
from ecglfm.models.importers.contracts import CONTRACTS

#: Samples that each reads at once, its leads and rate, by the fixtures.
SHAPES = {
    "ecg-founder": (5000, 12, 500), "hubert-ecg": (500, 12, 100), "ecg-fm": (2500, 12, 500), "ecg-jepa": (2500, 8, 250),
    "st-mem": (2250, 12, 250), "merl-resnet": (5000, 12, 500), "merl-vit": (5000, 12, 500), "ecg-cpc": (2400, 12, 240),
    "s4-supervised": (250, 12, 100), "echonext": (2500, 12, 250), "code": (4096, 12, 400),
}  # fmt: skip


@pytest.mark.parametrize("method", CONTRACTS)
def test_every_contract_is_a_section_of_the_config(method: str) -> None:
    config = parse(InputConfig, CONTRACTS[method], method)
    assert (config.window_samples, len(config.leads), config.sampling_rate) == SHAPES[method]
    check_input(config, PreprocessConfig(), "input")
    assert config.millivolts == (method in {"ecg-jepa", "ecg-cpc", "s4-supervised", "code"})
