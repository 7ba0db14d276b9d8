"""Numbers with their noun; words for mistakes where others' say too little, most are tried in cli/test_mistakes.py."""

from __future__ import annotations

from ecglfm.config.wording import counted, nearest, unknown, worded, yaml_problem


def test_numbers_agree_with_their_noun() -> None:
    assert [counted(number, "record") for number in (0, 1, 2)] == ["0 records", "1 record", "2 records"]
    assert [counted(number, "file is", "files are") for number in (1, 7)] == ["1 file is", "7 files are"]


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
    assert worded({"type": "string_type", "msg": "no text", "input": 1}) == "no text, found 1; put it in quotes: '1'"
