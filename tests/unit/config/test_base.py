"""YAML that is strict, and mistakes that name file, line and key."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import Field
from snakemake.common.configfile import load_configfile

from ecglfm.config import UserError, read_yaml
from ecglfm.config.base import Section


def test_yaml_words_and_numbers_mean_what_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("words: [no, on, NO, true]\nnumbers: [1e-6, 1.0e-6, 7, .5, -2]\n")
    assert read_yaml(path) == {"words": ["no", "on", "NO", True], "numbers": [1e-6, 1e-6, 7, 0.5, -2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: not valid YAML: key 'a' stands twice"),
        ("a: [1\n", "a.yaml:2: not valid YAML"),
        ("a: 1\nb:2\nc: 3\nd: 4\n", "a.yaml:2: not valid YAML: no `key: value` here; a space belongs behind the colon"),
        ("a: 1\nb: 'x\nc: 3\n", "a.yaml:2: not valid YAML: a quote that is never closed"),
        (
            "a:\n  b:2\n  c: 3\n",
            "a.yaml:3: not valid YAML: a colon too many: quote text that holds `: `; or the line above",
        ),
        ("- 1\n", "a.yaml: expected `key: value` lines, found list"),
        ("a: \x00\n", "a.yaml: not valid YAML"),
        ("a: !!bool perhaps\n", "a.yaml: not valid YAML: a value is not what the `!!` before it says"),
        ("a: !!timestamp perhaps\n", "a.yaml: not valid YAML: a value is not what the `!!` before it says"),
        ("a: 2024-13-45\n", "a.yaml: not valid YAML"),
        ("x: !!python/object/apply:os.system [true]\n", "not valid YAML: could not determine a constructor"),
    ],
)
def test_bad_yaml_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match="^[^\n]*$") as error:
        read_yaml(tmp_path / "a.yaml")
    assert message in str(error.value)


def test_a_mapping_takes_the_keys_of_another_and_its_own_go_before(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "a: &a\n  one: 1\n  two: &y {lr: 1, ema: 2}\n"
        "b:\n  one: 2\n  <<: *a\n"
        "c: &c {<<: *a, two: {<<: *y, lr: 3}}\n"
        "d: {<<: *c}\n"
    )
    whole = {"one": 1, "two": {"lr": 1, "ema": 2}}
    changed = {"one": 1, "two": {"lr": 3, "ema": 2}}
    assert read_yaml(path) == {"a": whole, "b": whole | {"one": 2}, "c": changed, "d": changed}
    assert load_configfile(path) == read_yaml(path)  # Snakemake reads the same file
    path.write_text("a: &a {x: 1}\nb: {<<: *a, x: 2, x: 3}\n")
    with pytest.raises(UserError, match="a.yaml:2: not valid YAML: key 'x' stands twice$"):
        read_yaml(path)


def test_yaml_of_another_encoding_or_without_end_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\n# caf\xe9\n")
    with pytest.raises(UserError, match=r"latin\.yaml:2: not UTF-8; save the file in that encoding$"):
        read_yaml(tmp_path / "latin.yaml")
    (tmp_path / "deep.yaml").write_text("a: " + "[" * 100_000)
    with pytest.raises(UserError, match=r"deep\.yaml: not valid YAML: brackets in brackets, too deep to read$"):
        read_yaml(tmp_path / "deep.yaml")


@pytest.mark.parametrize("hostile", ["a: &a [1, 2]\n", "a: &a [*a]\n"])
def test_aliases_that_stand_for_a_billion_values_are_one_line(tmp_path: Path, hostile: str) -> None:
    """Each line is nine times the one before; a list that holds itself has no end at all."""
    names = "abcdefghij"
    lines = [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise(names)]
    (tmp_path / "laughs.yaml").write_text(hostile + "".join(lines))
    message = r"laughs\.yaml: not valid YAML: its aliases stand for more than 1,000,000 values$"
    with pytest.raises(UserError, match=message):
        read_yaml(tmp_path / "laughs.yaml")
    (tmp_path / "laughs.yaml").write_text("a: &a [1, 2]\n" + "".join(lines[:3]))
    assert read_yaml(tmp_path / "laughs.yaml")["c"][8][0] == [1, 2]


def test_missing_file_lists_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text("a: 1\n")
    with pytest.raises(UserError, match="teeny.yaml: no such file; .* has: tiny"):
        read_yaml(tmp_path / "teeny.yaml")


class Inner(Section):
    number: int = 1


class Grown(Section):
    LATER = frozenset({"new", "inner"})
    old: int = 1
    new: list[int] = Field([])
    inner: Inner = Inner()


class GrownAgain(Grown):
    """What a class adds to those of another, it says with them."""

    LATER = Grown.LATER | {"newest"}
    newest: str | None = None


def test_a_key_that_came_later_changes_nothing_where_it_says_the_default() -> None:
    for mode in ("python", "json"):
        assert Grown().model_dump(mode=mode) == Grown(new=[], inner=Inner(number=1)).model_dump(mode=mode) == {"old": 1}
        said = GrownAgain(new=[0], inner=Inner(number=2), newest="")
        assert said.model_dump(mode=mode) == {"old": 1, "new": [0], "inner": {"number": 2}, "newest": ""}
    assert GrownAgain().model_dump_json() == '{"old":1}'


def test_keys_that_came_later_are_keys() -> None:
    sections = [Section]
    for section in sections:
        sections += section.__subclasses__()
    assert len([section for section in sections if section.LATER]) >= 10
    assert [section for section in sections if not set(section.model_fields) >= section.LATER] == []
