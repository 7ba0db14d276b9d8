"""A pretraining on changed segments: it resumes bit for bit, and validates on what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from tests.unit.training.pretraining.small_pretraining import StopAfter, history, pretrain, weights

AUGMENT = [
    {"kind": "lead_permutation", "group": ["RA", "LA"]}, {"kind": "time_warp"}, {"kind": "gain"}, {"kind": "noise"},
    {"kind": "powerline", "hz": 20}, {"kind": "baseline", "mv": [0.1, 0.5]},
]  # fmt: skip
SHORT = {"steps": 4, "log_every": 1, "validate_every": 4, "checkpoint_every": {"steps": 2}}


def test_it_resumes_bit_for_bit_whatever_loads_and_differs_from_one_without(prepared: Path, tmp_path: Path) -> None:
    options = SHORT | {"augment": AUGMENT}
    assert pretrain(prepared, tmp_path / "calm", **options) == 0
    assert pretrain(prepared, tmp_path / "stopped", StopAfter(3), **options) == 75
    assert pretrain(prepared, tmp_path / "stopped", num_workers=1, **options) == 0
    assert weights(tmp_path / "stopped") == weights(tmp_path / "calm")
    pd.testing.assert_frame_equal(history(tmp_path / "stopped"), history(tmp_path / "calm"))
    told = json.loads((tmp_path / "calm/encoder.json").read_text())["pretrain"]["augment"]
    assert [one["kind"] for one in told] == [one["kind"] for one in AUGMENT]
    pretrain(prepared, tmp_path / "plain", **SHORT)
    assert weights(tmp_path / "plain") != weights(tmp_path / "calm")
    pretrain(prepared, tmp_path / "never", **SHORT, augment=[{"kind": "gain", "db": [0, 0]}])
    assert weights(tmp_path / "never") == weights(tmp_path / "plain")


def test_validation_is_on_what_was_recorded(prepared: Path, tmp_path: Path) -> None:
    """At a rate of next to nothing the weights stay; the penalty is of the front end, which no batch statistic enters."""
    penalty = {}
    for name, augment in (("plain", []), ("loud", [{"kind": "noise", "mv": [9, 9], "probability": 1.0}])):
        pretrain(prepared, tmp_path / name, **SHORT, lr=1e-12, augment=augment)
        penalty[name] = history(tmp_path / name).groupby("split")["feature_penalty"].last()
    assert penalty["loud"]["valid"] == pytest.approx(penalty["plain"]["valid"], rel=1e-5)
    assert penalty["loud"]["train"] != pytest.approx(penalty["plain"]["train"], rel=1e-3)


def test_what_the_signals_do_not_have_is_refused_before_it_begins(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tiny: pretrain\.augment\.0: rotation: the heart's vector needs V1 to V6"):
        pretrain(prepared, tmp_path, augment=[{"kind": "rotation"}])
