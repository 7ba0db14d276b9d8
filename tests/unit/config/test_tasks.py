"""Tasks: labels and the kinds that have them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ecglfm.config import Selector, TaskConfig, UserError, parse

SELECTOR = {"column": {"native.x": ["1"]}}


def task_of(kind: str, **labels: object) -> dict[str, object]:
    return {"kind": kind, "labels": {label: {"ptbxl": selector} for label, selector in labels.items()}}


def test_binary_task_has_one_label() -> None:
    label = {"ptbxl": {"scp": ["AFIB"]}}
    with pytest.raises(UserError, match="has exactly one label, found 2"):
        parse(TaskConfig, {"kind": "binary", "labels": {"a": label, "b": label}}, "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (task_of("multilabel"), "`labels` is empty"),
        (task_of("multiclass", a=SELECTOR), "`kind: multiclass` chooses among labels, found only one; write `binary`"),
        (task_of("multilabel", **{"a b": SELECTOR}), "label 'a b': no spaces, dots, slashes or braces"),
        (task_of("multilabel", **{"a\x1b[2J": SELECTOR}), r"label 'a\x1b[2J': up to 200 characters that can be printed"),
        (task_of("multilabel", **{"a" * 201: SELECTOR}), f"label '{'a' * 40}': up to 200 characters"),
        (task_of("multilabel", a={"report": ["a{1,99999999999}"]}), "is not a regular expression: the rep"),
        (task_of("multilabel", a={"report": ["(" * 3000 + ")" * 3000]}), "is not a regular expression: max"),
        (task_of("regression", a=SELECTOR), "labels.a.ptbxl: `kind: regression` needs `value`"),
        (task_of("binary", a={"value": "age"}), "labels.a.ptbxl: `kind: binary` has no `value`"),
        (task_of("survival", a={"time": "t"}), "labels.a.ptbxl: `kind: survival` needs `event`"),
        (task_of("regression", a={"value": "x", "since": "acquired"}), "`since` says where the dates of `time` and `event`"),
        (task_of("regression", a={"value": "x", "scp": ["NORM"]}), "`scp` is no number; `among` chooses the records"),
        (task_of("binary", a=SELECTOR) | {"exclude": {"ptbxl": {"value": "x"}}}, "exclude.ptbxl: `kind: binary` has no `value`"),
        (task_of("binary", a={}), "empty selector: give one of scp, "),
        (task_of("binary", a={"report": ["("]}), "report pattern '(' is not a regular expression"),
        (task_of("binary", a=SELECTOR | {"min_likelihood": 50}), "count for scp, scp_class, scp_subclass only"),
        (
            task_of("binary", a={"scp": ["NORM"], "min_likelihood": 60, "max_likelihood": 50}),
            "`min_likelihood` is above `max_likelihood`: no code can count",
        ),
        (task_of("binary", a={"statement": ["AF"]}), "statement 'AF': 12SL statements are numbers"),
        (task_of("binary", a=SELECTOR | {"read_by": "v24"}), "`read_by` says whose `statement` counts, which is missing"),
        (task_of("binary", a=SELECTOR | {"not_report": ["no"]}), "`not_report` only narrows `report`, which is missing"),
        (task_of("binary", a={"scp": ["NORM"], "file": {"path": "own.csv"}}), "`scp` asks the database and `file` a table"),
        (task_of("binary", a=SELECTOR) | {"prompts": {"b": ["x"]}}, "prompts.b: no label of the task, or an empty sentence"),
        (task_of("binary", a=SELECTOR) | {"prompts": {"a": ["x", ""]}}, "prompts.a: no label of the task, or an empty"),
        (task_of("binary", a=SELECTOR) | {"prompts": {"a": ["x", "  "]}}, "prompts.a: no label of the task, or an empty"),
        (task_of("binary", a=SELECTOR) | {"prompts": {"a": []}}, "prompts.a: List should have at least 1 item"),
        (task_of("binary", a=SELECTOR | {"file": {"path": "x.csv", "y_npy": "y.npy"}}), "`y_npy` and `label_def` go together"),
        (task_of("survival", a={"time": "t", "event": "e", "follow_up_end": "u"}), "those whom `competing` is true of"),
        (task_of("binary", a=SELECTOR | {"competing": "d", "follow_up_end": "u"}), "before the `event` of a `time`"),
        (task_of("regression", a={"value": "x", "within": 1}), "`within` makes a label of `kind: binary` or `multilabel`"),
        (task_of("binary", a={"time": "t", "within": 1}), "`kind: binary` needs `event`"),
        (task_of("binary", a=SELECTOR) | {"exclude": {"ptbxl": {"time": "t", "event": "e", "within": 1}}}, "`within` makes a"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_one_line(content: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match="^[^\n]*$") as raised:
        parse(TaskConfig, content, "t.yaml")
    assert message in str(raised.value)


def test_codes_are_text_quoted_or_not() -> None:
    assert Selector(snomed=[164889003, "427084000"]).snomed == ["164889003", "427084000"]
    with pytest.raises(ValueError, match="snomed"):
        Selector(snomed=[True])  # which Python takes for 1
    assert Selector(codes={"dx": [44, "I48*"]}).codes == {"dx": ["44", "I48*"]}


@pytest.mark.parametrize("codes", [["I48 "], ["I48;I49"], ["*48"], [""], []])
def test_a_code_of_a_cell_is_one_word(codes: list[str]) -> None:
    with pytest.raises(ValueError, match=r"codes\.dx: .*each is one code"):
        Selector(codes={"dx": codes})


def test_labels_without_codes_in_cells_are_dumped_as_before() -> None:
    """Another dump would run every label set, and all its fits, anew."""
    assert "codes" not in Selector(scp=["AFIB"]).model_dump()
    assert Selector(codes={"dx": ["I48"]}).model_dump()["codes"] == {"dx": ["I48"]}


def test_an_event_is_a_condition_or_a_column() -> None:
    both = Selector(time="t", event="died == 1", competing="moved == 1", follow_up_end=9)
    assert both.condition("event") is not None
    assert both.condition("competing") is not None
    assert both.follow_up_end == "9"
    assert Selector(time="t", event="native.death in hospital").condition("event") is None
    assert Selector(scp=["NORM"]).condition("event") is None
    day = yaml.safe_load("follow_up_end: 2022-10-31")  # a date to YAML
    assert Selector(time="t", event="e", since="made", competing="died", **day).follow_up_end == "2022-10-31"


def test_labels_without_a_competing_event_are_written_as_before() -> None:
    written = Selector(time="t", event="e").model_dump()
    assert not {"competing", "follow_up_end", "since"} & set(written)


def test_files_are_named_once_and_moved_with_the_config() -> None:
    own = {"file": {"path": "own.csv", "y_npy": "y.npy", "label_def": "def.csv"}} | SELECTOR
    content = task_of("multilabel", a=own, b=own) | {"exclude": {"ptbxl": {"file": {"path": "/abs/x.csv"}} | SELECTOR}}
    task = parse(TaskConfig, content, "t.yaml")
    assert task.files == ["own.csv", "y.npy", "def.csv", "/abs/x.csv"]
    assert task.located(Path("config")).files == ["config/own.csv", "config/y.npy", "config/def.csv", "/abs/x.csv"]
    assert task.files[0] == "own.csv"  # the task itself stays


def test_prompts_are_in_no_dump() -> None:
    """So that an edit of them makes no labels anew, nor a fit that reads none."""
    content = task_of("binary", a=SELECTOR)
    task = TaskConfig.model_validate(content | {"prompts": {"a": ["word"]}})
    assert task.prompts == {"a": ["word"]}
    assert task.model_dump() == TaskConfig.model_validate(content).model_dump()
