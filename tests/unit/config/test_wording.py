"""Words for mistakes where pydantic's and YAML's own say too little; most are tried in cli/test_mistakes.py."""

from __future__ import annotations

from ecglfm.config.wording import nearest, unknown, worded, yaml_problem


def test_the_nearest_name_or_all() -> None:
    assert nearest("tinny", ["tiny", "base"]) == "; did you mean 'tiny'?"
    assert nearest("zzz", ["tiny", "base"]) == ""
    assert unknown("epoch", ["epochs", "lr"]) == "unknown key; did you mean 'epochs'?"
    assert unknown("zzz", ["epochs", "lr"]) == "unknown key; there are epochs, lr"
    assert unknown("zzz", []) == "unknown key"


def test_what_has_no_better_words_keeps_its_own() -> None:
    assert yaml_problem("something\n  else") == "something else"
    assert worded({"type": "less_than", "msg": "Input should be less than 1", "input": 2}) == (
        "Input should be less than 1, found 2"
    )
    assert worded({"type": "value_error", "msg": "Value error, too few", "input": 2}) == "too few"
    assert worded({"type": "int_parsing", "msg": "no integer", "input": "many"}) == "no integer, found 'many'"
