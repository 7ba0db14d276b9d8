"""What differs between two slices of the config, key by key: why a stage runs again, and what a run is named by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ecglfm.config.base import Section

#: Characters of a value in a message; longer ones are cut.
VALUE_LENGTH = 60


class _Absent:
    """The value of a key that is not there; `null` is one that is."""

    def __repr__(self) -> str:
        return "(none)"


ABSENT = _Absent()


class Change(NamedTuple):
    """One key that differs; as text `finetune.lr 0.001 -> 0.003`.

    Attributes
    ----------
    key : str
        With its sections, `finetune.lora.rank`.
    before, after : object
        `ABSENT` where the key is on one side only.
    """

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        before, after = ("{…}" if isinstance(one, Mapping) and one else shown(one) for one in self[1:])
        return f"{self.key} {before} -> {after}"


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Keys whose values differ, sorted; sections are entered, lists are compared as a whole.

    A section of several keys that is on one side only, as a label that has another name now, is one change.

    Parameters
    ----------
    before, after : mapping
        As `read_yaml` reads a slice, or `section.model_dump(mode="json")`: 1 and 1.0 are the same.

    Returns
    -------
    list of Change
        Empty where nothing differs.
    """
    old, new = _beside(before, after), _beside(after, before)
    keys = sorted(old.keys() | new.keys())
    changes = [Change(key, old.get(key, ABSENT), new.get(key, ABSENT)) for key in keys]
    return [change for change in changes if not _equal(change.before, change.after)]


def _beside(content: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """As `flatten`, but a section of several keys that the other lacks is a value."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        name, theirs = f"{prefix}{key}", other.get(key, ABSENT)
        if not (isinstance(value, Mapping) and value) or (theirs is ABSENT and len(flatten(value)) > 1):
            flat[name] = value
        else:
            flat.update(_beside(value, theirs if isinstance(theirs, Mapping) else {}, f"{name}."))
    return flat


def flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as `section.key: value`; an empty one is a value."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat


def changed(section: Section) -> dict[str, Any]:
    """Keys of a section that differ from their defaults, nested, as JSON has them; of two kinds always which."""
    content, different = section.model_dump(mode="json"), dict[str, Any]()
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        is_usual = not field.is_required() and value == field.get_default(call_default_factory=True)
        if name in content and (name == "kind" or not is_usual):
            different[name] = _changed(value, content[name])
    return different


def _changed(value: Any, content: Any) -> Any:
    """The same of a value, and of the sections in a mapping: labels, by name and kind of database."""
    if isinstance(value, Section):
        return changed(value)
    if isinstance(value, Mapping):
        return {name: _changed(value[key], one) for key, (name, one) in zip(value, content.items(), strict=True)}
    return content


def _equal(one: Any, other: Any) -> bool:
    """Equality as YAML sees it: a tuple is a list, and True is not 1."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(isinstance(one, bool) == isinstance(other, bool) and one == other)


def shown(value: Any) -> str:
    """A value as a config file would say it, on one line."""
    text = " ".join(str(value).split())
    text = {"None": "null", "True": "true", "False": "false"}.get(text, text)
    return text if len(text) <= VALUE_LENGTH else f"{text[: VALUE_LENGTH - 1]}…"
