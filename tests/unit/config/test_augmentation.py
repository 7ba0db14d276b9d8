"""Changes of training segments in a config: units, mistakes, and what they need of the signals."""

from __future__ import annotations

from typing import Any

import pytest

from ecglfm.config import FinetuneConfig, InputConfig, PreprocessConfig, PretrainConfig, UserError, parse
from ecglfm.config.augmentation import check_augment
from ecglfm.config.documentation import pages


def config(*changes: dict[str, Any]) -> PretrainConfig:
    return parse(PretrainConfig, {"steps": 1, "augment": list(changes)}, "e.yaml")


def test_changes_stand_in_their_order_and_none_is_written() -> None:
    augment = config({"kind": "gain", "db": [-1, 1]}, {"kind": "noise"}, {"kind": "gain"}).augment
    assert [one.kind for one in augment] == ["gain", "noise", "gain"]
    assert augment[0].db == (-1, 1)
    assert [one.probability for one in augment] == [0.5] * 3
    assert "augment" not in config().model_dump()
    again = config({"kind": "gain", "db": [-1, 1]}).model_dump()["augment"]
    assert again == [{"probability": 0.5, "kind": "gain", "db": (-1, 1)}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "nosie"}, r"augment\.1: kind 'nosie' is none of 'noise', 'powerline',"),
        ({"mv": [0, 1]}, r"augment\.1: write which `kind` it is"),
        ({"kind": "gain", "mv": [0, 1]}, r"augment\.1\.mv: kind 'gain' has no key 'mv'; leave it out"),
        ({"kind": "noise", "mv": [0.2, 0.1]}, r"augment\.1\.mv: .*from 0\.2 to 0\.1 is no range: the smaller number"),
        ({"kind": "noise", "mv": [-0.2, 0.1]}, r"augment\.1\.mv: .*-0\.2 is below 0"),
        ({"kind": "noise", "probability": 0}, r"augment\.1\.probability: .*greater than 0"),
        ({"kind": "time_warp", "percent": [-60, 5]}, r"augment\.1\.percent: .*more than 50 % leaves too few samples"),
        ({"kind": "lead_permutation", "group": ["V1", "V1"]}, r"augment\.1\.group: .*an electrode stands twice: V1 V1"),
        (
            {"kind": "lead_permutation", "group": ["V1", "LA"]},
            r".*of the chest and of the limbs are not mixed up; write",
        ),
        ({"kind": "lead_permutation", "group": ["I", "II"]}, r"augment\.1\.group\.0: .*'V1'"),
    ],
)
def test_a_mistake_is_one_line_at_its_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"^e\.yaml: {message}"):
        config({"kind": "noise"}, change)


@pytest.mark.parametrize(
    ("change", "preprocess", "message"),
    [
        ({"kind": "powerline"}, {"sampling_rate": 100}, r"powerline: hz: 50 is not below half of .*sampling_rate, 50$"),
        ({"kind": "baseline", "hz": [1, 60]}, {"sampling_rate": 100}, "baseline: hz: 60 is not below half of"),
        ({"kind": "lead_permutation", "group": ["V1", "V3"]}, {"leads": ["I", "V1"]}, "group: V3 is not in preprocess.leads; take it out"),
        ({"kind": "lead_permutation", "group": ["RA", "LA"]}, {"leads": ["I", "V1"]}, "group: RA LA needs two leads of the"),
        ({"kind": "rotation"}, {"leads": ["I", "II", "V1"]}, "heart's vector needs V1 to V6, and V2 is not in"),
        ({"kind": "rotation"}, {"leads": ["I", "V1", "V2", "V3", "V4", "V5", "V6"]}, "needs two leads of the limbs, and .* 1$"),
    ],
)  # fmt: skip
def test_what_signals_do_not_have_is_refused(change: dict[str, Any], preprocess: dict[str, Any], message: str) -> None:
    augment = config({"kind": "noise"}, change).augment
    with pytest.raises(UserError, match=rf"^e\.yaml: pretrain\.augment\.1: .*{message}"):
        check_augment(augment, PreprocessConfig(**preprocess), "e.yaml: pretrain.augment")
    check_augment(augment, PreprocessConfig(), "e.yaml: pretrain.augment")


def test_each_key_is_documented_with_its_unit() -> None:
    rows = [row for row in pages()["pretrain.md"].splitlines() if row.startswith("| `pretrain.augment")]
    assert rows[0].startswith("| `pretrain.augment` | list of sections | `[]` |")
    assert rows[1].startswith("| `pretrain.augment.kind` | `noise` or `powerline` or ")
    for key, unit in (("mv", "mV"), ("hz", "Hz"), ("db", "dB"), ("percent", "%"), ("degrees", "degrees")):
        found = [row for row in rows if row.startswith(f"| `pretrain.augment.{key}` ")]
        assert found
        assert all(unit in row.split(" | ")[3] for row in found)


def test_a_fine_tuning_has_them_too_and_none_is_written() -> None:
    assert "augment" not in FinetuneConfig().model_dump()
    kinds = [one.kind for one in FinetuneConfig.model_validate({"augment": [{"kind": "gain"}]}).augment]
    assert kinds == ["gain"]


def test_what_an_encoder_reads_is_what_is_changed() -> None:
    """Its contract's leads and rate count, and a change in millivolts needs millivolts."""
    geometry = {"leads": ["V1", "V2"], "sampling_rate": 100, "window_seconds": 2}
    of_mv = InputConfig.model_validate(geometry | {"window": [{"step": "butterworth", "low": 1, "order": 2}]})
    standardised = InputConfig.model_validate(geometry | {"window": [{"step": "standardize"}], "unit": "standardised"})
    warped = [{"kind": "time_warp"}]
    for changes, input_ in (([{"kind": "noise"}, *warped], of_mv), (warped, standardised)):
        check_augment(config(*changes).augment, PreprocessConfig(), "e: augment", input_)
    hum = config({"kind": "powerline", "hz": 50}).augment
    check_augment(hum, PreprocessConfig(), "e: augment")
    with pytest.raises(UserError, match=r"^e: augment\.0: powerline: hz: 50 is not below half of input.sampling_rate"):
        check_augment(hum, PreprocessConfig(), "e: augment", of_mv)
    with pytest.raises(UserError, match=r"^e: augment\.0: .*V3 is not in input.leads"):
        check_augment(config({"kind": "rotation"}).augment, PreprocessConfig(), "e: augment", of_mv)
    with pytest.raises(UserError, match=r"^e: augment\.1: noise: changes millivolts, .* it can only have time_warp;"):
        check_augment(config(*warped, {"kind": "noise"}).augment, PreprocessConfig(), "e: augment", standardised)
