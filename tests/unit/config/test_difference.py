"""What differs between two slices, by hand."""

from __future__ import annotations

from ecglfm.config.difference import ABSENT, Change, difference, flatten

BEFORE = {
    "finetune": {"lr": 1e-3, "epochs": 3, "head_lr": None, "modes": ["full"], "schedule": {"kind": "constant"}},
    "same": {},
    "number": 1,
}
AFTER = {
    "finetune": {"lr": 3e-3, "epochs": 3.0, "head_lr": 0.1, "modes": ("full",), "lora": {"rank": 8}, "schedule": {}},
    "same": {},
    "number": True,
}


def test_keys_that_differ_are_told_with_both_values() -> None:
    assert [str(change) for change in difference(BEFORE, AFTER)] == [
        "finetune.head_lr null -> 0.1",
        "finetune.lora.rank (none) -> 8",
        "finetune.lr 0.001 -> 0.003",
        "finetune.schedule (none) -> {}",
        "finetune.schedule.kind constant -> (none)",
        "number 1 -> true",
    ]
    assert difference(BEFORE, BEFORE) == []
    assert difference({"a": [1, [2, 3]]}, {"a": [1, [2, 4]]}) == [Change("a", [1, [2, 3]], [1, [2, 4]])]
    assert difference({}, {"a": None}) == [Change("a", ABSENT, None)]  # null is a value


def test_a_label_that_has_another_name_is_two_changes() -> None:
    selector = {"ptbxl": {"scp": ["MI"], "among": None}, "ludb": {"scp": [], "among": None}}
    before, after = {"labels": {"MI": selector, "AF": selector}}, {"labels": {"infarct": selector, "AF": selector}}
    told = ["labels.MI {…} -> (none)", "labels.infarct (none) -> {…}"]
    assert [str(change) for change in difference(before, after)] == told
    assert [str(change) for change in difference(before, {"labels": {"MI": selector}})] == ["labels.AF {…} -> (none)"]


def test_long_values_are_cut_and_stay_on_one_line() -> None:
    text = str(Change("labels", "a\n b", list(range(100))))
    assert text == "labels a b -> [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, …"


def test_sections_are_entered_and_lists_are_not() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": []}, "e": {}}) == {"a.b.c": 1, "a.d": [], "e": {}}
