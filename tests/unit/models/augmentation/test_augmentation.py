"""Changes one after the other: each of its share of the records, by their keys alone; absent leads and padding stay."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from ecglfm.config import LEADS, AugmentConfig
from ecglfm.models.augmentation import Augmentation
from ecglfm.models.pretraining.random import record_keys
from tests.unit.models.augmentation.test_changes import RATE, is_consistent, of_electrodes

ALL = [
    {"kind": "lead_permutation", "group": ["V1", "V2", "V3"]}, {"kind": "lead_permutation", "group": ["RA", "LA", "LL"]},
    {"kind": "rotation", "degrees": 30, "scale": [0.8, 1.2]}, {"kind": "time_warp"}, {"kind": "gain"},
    {"kind": "noise"}, {"kind": "powerline"}, {"kind": "baseline"},
]  # fmt: skip


def augmentation(*changes: dict, **more: float) -> Augmentation:
    config = TypeAdapter(list[AugmentConfig]).validate_python([change | more for change in changes])
    return Augmentation(config, LEADS, RATE)


def changed(x: Tensor, after: Tensor) -> Tensor:
    return (x != after).flatten(1).any(1)


def test_each_changes_its_share_and_the_shares_are_independent() -> None:
    x, keys = torch.ones(4000, 12, 4), record_keys(9, 0, 4000)
    gain = {"kind": "gain", "db": [6, 6]}
    after = augmentation(gain, {"kind": "gain", "db": [20, 20]}, probability=0.3)(keys, x)[:, 0, 0]
    counts = [int(torch.isclose(after, torch.tensor(factor)).sum()) for factor in (1.0, 1.99526, 10.0, 19.9526)]
    assert counts == pytest.approx([1960, 840, 840, 360], abs=100)  # 0.49, 0.21, 0.21, 0.09; standard error 32
    assert not changed(x, augmentation()(keys, x)).any()
    assert changed(x, augmentation(gain, probability=1.0)(keys, x)).all()


def test_a_record_is_changed_by_its_own_key_wherever_it_stands() -> None:
    x, keys = of_electrodes(8, samples=200), record_keys(4, 0, 8)
    whole = augmentation(*ALL, probability=0.7)
    after = whole(keys, x)
    torch.testing.assert_close(whole(record_keys(4, 3, 2), x[3:5]), after[3:5])
    torch.testing.assert_close(whole(keys.flip(0), x.flip(0)).flip(0), after)
    assert torch.equal(whole(keys, x), after)
    assert changed(after, whole(record_keys(5, 0, 8), x)).all()
    assert is_consistent(after)


def test_absent_leads_and_padding_stay_zero() -> None:
    x, keys = of_electrodes(60, samples=200), record_keys(4, 0, 60)
    mask = torch.arange(200) < torch.arange(141, 201)[:, None]
    x = x * mask[:, None]
    x[::2, LEADS.index("V3")] = 0  # no rotation, no permutation of the chest
    x[::3, LEADS.index("aVL")] = 0  # a lead that nothing is taken from
    after = augmentation(*ALL, probability=1.0)(keys, x, mask)
    assert not after[::2, LEADS.index("V3")].any()
    assert not after[::3, LEADS.index("aVL")].any()
    assert not after.masked_select(~mask[:, None]).any()
    assert changed(x, after).all()
    for kind in (ALL[0], ALL[2]):
        one = augmentation(kind, probability=1.0)(keys, x, mask)
        assert not changed(x[::2], one[::2]).any()
        assert changed(x[1::2], one[1::2]).sum() >= 20  # a permutation of three is the identity in one of six
    limbs = augmentation(ALL[1], probability=1.0)(keys, x, mask)
    assert torch.equal(limbs[:, 6:], x[:, 6:])
