"""Input contracts of published encoders: from prepared microvolts to what their authors' code gave its model.

`raw.npz` has two recordings of PTB-XL in mV, whole microvolts, so that int16 loses nothing; float32 does: 6e-8 of a
number, which offsets and filters' gains make up to 1e-6, and ECG-Founder's code, in float32 between its filters, 5e-6.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecglfm.config import InputConfig, PreprocessConfig, check_input, parse
from ecglfm.data.signals import EncoderInput
from ecglfm.models.importers.contracts import CONTRACTS

#: Samples that each reads at once, its leads and rate, by the fixtures.
SHAPES = {
    "ecg-founder": (5000, 12, 500), "hubert-ecg": (500, 12, 100), "ecg-fm": (2500, 12, 500), "ecg-jepa": (2500, 8, 250),
    "st-mem": (2250, 12, 250), "merl-resnet": (5000, 12, 500), "merl-vit": (5000, 12, 500), "ecg-cpc": (2400, 12, 240),
    "s4-supervised": (250, 12, 100), "echonext": (2500, 12, 250), "code": (4096, 12, 400),
}  # fmt: skip
FIXTURES = {
    "ecg-founder": "ecgfounder/small", "hubert-ecg": "hubert-ecg/small", "ecg-fm": "ecg-fm/small_pretrained",
    "ecg-jepa": "ecg-jepa/small", "st-mem": "st-mem/small", "merl-resnet": "merl/full_resnet18",
    "merl-vit": "merl/full_resnet18", "ecg-cpc": "ecg-cpc/small", "s4-supervised": "ecg-cpc/s4_supervised_small",
    "code": "code-resnet/small",
}  # fmt: skip
TOLERANCE = {"ecg-founder": 1e-5}


def read(content: dict[str, Any], peers: Path, start: int = 0) -> np.ndarray:
    """What is made of the first window of each recording, (2, leads, samples)."""
    given = EncoderInput(parse(InputConfig, content, "e.yaml"), PreprocessConfig())
    microvolts = np.rint(np.load(peers / "raw.npz")["mv"].astype(float) * 1000).astype(np.int16)
    samples = given.config.window_samples * given.factor
    records = [given.record(recording.T) for recording in microvolts]
    assert {len(record) // given.factor for record in records} == {given.length(5000)}
    return np.stack([given.window(record[start : start + samples]).T for record in records])


@pytest.mark.parametrize("method", CONTRACTS)
def test_every_contract_is_a_section_of_the_config(method: str) -> None:
    config = parse(InputConfig, CONTRACTS[method], method)
    assert (config.window_samples, len(config.leads), config.sampling_rate) == SHAPES[method]
    check_input(config, PreprocessConfig(), "input")
    assert config.millivolts == (method in {"ecg-jepa", "ecg-cpc", "s4-supervised", "code"})


@pytest.mark.parametrize("method", FIXTURES)
def test_what_its_authors_code_gave(method: str, peers: Path) -> None:
    expected = np.load(peers / f"{FIXTURES[method]}.npz")["input"]
    start = 125 if method == "st-mem" else 0  # that fixture's window begins after half a second
    found = read(CONTRACTS[method], peers, start)
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=TOLERANCE.get(method, 2e-6), rtol=0)


def test_echonext_within_its_unit(peers: Path) -> None:
    """Where mV lie half-way between two of its units of 4.88 uV, float32 decided in the fixture; it left leads as recorded.

    61 uV are 12.5 units, and so is every 122nd microvolt: of 60,000 samples 357, each one unit off or none, and those of
    which such a sample is the baseline.
    """
    content = CONTRACTS["echonext"]
    recorded = content | {"record": [step for step in content["record"] if step["step"] != "limb_leads"]}
    expected = np.load(peers / "echonext/small.npz")["input"][:, 0].transpose(0, 2, 1)
    deviation = np.array(content["record"][-1]["deviation"])[:, None]
    units = np.abs(read(recorded, peers) - expected) * deviation
    assert units.max() < 1.0001
    assert 0 < (units > 1e-3).sum() < 1200
    # What is computed anew differs from what was recorded by the rounding of two leads.
    limb = np.abs(read(content, peers) - read(recorded, peers)) * deviation
    assert not limb[:, [0, 1, *range(6, 12)]].any()
    assert 0 < limb[:, 2:6].max() < 3
