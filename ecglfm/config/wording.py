"""Words of messages: numbers with their noun; mistakes in a config, where pydantic's and YAML's words do not help."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import yaml

#: What YAML's parser says, and what is meant.
YAML = {
    "found character '\\t' that cannot start any token": "a tab; indent with spaces",
    "could not find expected ':'": "no `key: value` here; a space belongs behind the colon",
    "mapping values are not allowed here": "a colon too many: quote text that holds `: `; or the line above lacks one",
    "found unexpected end of stream": "a quote that is never closed",
}
NAME = "a name is the file's, without folder and `.yaml`: letters, digits, - and _"
SECTION = "is a section: write its keys below it, indented, or leave it out"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 record`, `2 records`: a number with what it counts; `many` where that is more than an s longer."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def yaml_problem(problem: str) -> str:
    """What is said of text that is no YAML."""
    text = " ".join(problem.split())
    return YAML.get(text, text)


def worded(problem: Any) -> str:
    """What is said of a value that does not fit its key.

    Parameters
    ----------
    problem : mapping
        Of pydantic's `ValidationError.errors()`.
    """
    kind, given = problem["type"], problem.get("input")
    text: str = problem["msg"].removeprefix("Value error, ")
    if kind == "missing":
        return "this key is required"
    if isinstance(given, bool) and kind == "string_type":
        return "YAML reads an unquoted yes/no/on/off as true/false; put it in quotes"
    if kind == "value_error":
        return text
    if kind == "list_type" and isinstance(given, str | int | float):
        listed = yaml.safe_dump([given], default_flow_style=True, allow_unicode=True, width=10_000).strip()
        return f"a list belongs here: {listed}"
    if kind in {"model_type", "dict_type"} and isinstance(given, str) and given.startswith("{"):
        return f"the shell has split it at its spaces: quote the whole, 'KEY={{…}}'; found {given!r}"
    if kind == "model_type":
        return f"{SECTION}; found {given!r}"
    if kind == "string_pattern_mismatch":
        return f"{NAME}; found {given!r}"
    text += f", found {given!r}"
    if kind == "string_type" and isinstance(given, int | float):
        return f"{text}; put it in quotes: '{given}'"
    if kind in {"int_parsing", "float_parsing"} and any(letter.isdigit() for letter in str(given)):
        return f"{text}; write the number alone: a point before decimals, no unit"
    return text


def nearest(said: str, known: Iterable[str]) -> str:
    """`; did you mean 'this'?` of the known name that is most like it; empty where none is."""
    near = difflib.get_close_matches(said, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def unknown(key: str, known: Iterable[str]) -> str:
    """What is said of a key that its section does not have: the nearest, or else all that it has."""
    names = list(known)
    others = f"; there are {', '.join(names)}" if names else ""
    return "unknown key" + (nearest(key, names) or others)
