"""Lifts a config file to the current version: renamed keys move, every other byte stays as the user wrote it.

The text itself is edited at the marks that the YAML parser gives, which keeps comments, order and layout; the result is
read again and must say what the old file said, moved. What cannot be edited so is refused, never guessed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ecglfm.config.base import UserError, compose_yaml, parse_yaml
from ecglfm.config.version import MOVES, VERSION, Move, newer

#: Folders whose files are of one kind; every other file is a project: `config.yaml` or a recipe.
KINDS = {"encoders": "encoder", "sources": "source", "tasks": "task"}

Keys = tuple[str, ...]


class Migrated(NamedTuple):
    """A file as it should be.

    Attributes
    ----------
    text : str
    changes : list of str
        `evaluate.calibration -> finetune.calibration`, in the order in which they were made; empty: it is current.
    """

    text: str
    changes: list[str]


def migrate(text: str, path: Path) -> Migrated:
    """The text of a config file under the current names of keys.

    Parameters
    ----------
    text : str
    path : path
        Of the file: its folder says what kind of file it is.

    Raises
    ------
    UserError
        The file is no YAML mapping, is of a newer version, has the old key and the new one, or is laid out in a way
        that cannot be edited without touching more.
    """
    content = parse_yaml(text, path)
    kind = KINDS.get(path.absolute().parent.name, "config")
    if kind == "config" and (said := newer(content)):
        raise UserError(f"{path}: {said}")
    changes = []
    for old, new in _moves(content, kind):
        changes.append(f"{'.'.join(old)} -> {'.'.join(new)}")
        if _at(content, new) is not None:
            raise UserError(f"{path}: `{'.'.join(old)}` is now `{'.'.join(new)}`, and both are there: delete one")
        expected = _moved(content, old, new)
        text = _remove(_insert(text, old, new), old)
        content = _checked(text, expected, path, changes[-1])
    if kind == "config" and content.get("version") != VERSION:
        changes.append(f"version: {VERSION}" + (f", was {content['version']}" if "version" in content else ""))
        expected = content | {"version": VERSION}
        text = _with_version(text)
        _checked(text, expected, path, changes[-1])
    return Migrated(text, changes)


def _moves(content: dict[str, Any], kind: str) -> Iterator[tuple[Keys, Keys]]:
    """Renamed keys that a file has, from its top, and their new names."""
    found: list[tuple[Move, Keys]] = [(move, ()) for move in _of(kind)]
    if kind == "config":
        encoders = _at(content, ("define", "encoders"))
        names = [str(name) for name in encoders] if isinstance(encoders, dict) else []
        found += [(move, ("define", "encoders", name)) for move in _of("encoder") for name in names]
    for move, above in found:
        parent = _at(content, (*above, *move.old[:-1]))
        if isinstance(parent, dict) and move.old[-1] in parent:
            yield (*above, *move.old), (*above, *move.new)


def _of(kind: str) -> list[Move]:
    return [move for move in MOVES if move.kind == kind]


def _at(content: Any, path: Keys) -> Any:
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _moved(content: dict[str, Any], old: Keys, new: Keys) -> dict[str, Any]:
    """A copy of the content with one key moved; sections that are left empty are left out."""
    content = copy.deepcopy(content)
    value = _at(content, old)
    target = content
    for key in new[:-1]:
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            return {}  # `finetune:` and nothing: what the text becomes is not this, and so refused
    target[new[-1]] = value
    del _at(content, old[:-1])[old[-1]]
    for depth in range(len(old) - 1, 0, -1):
        if not _at(content, old[:depth]):
            del _at(content, old[: depth - 1])[old[depth - 1]]
    return content


def _checked(text: str, expected: dict[str, Any], path: Path, change: str) -> dict[str, Any]:
    """What the text says, which must be what is expected."""
    try:
        content = parse_yaml(text, path)
    except UserError:
        content = {}
    if content != expected:
        raise UserError(f"{path}: {change}: the file is laid out in a way that this cannot edit: move the key by hand")
    return content


# Editing: every function takes the text and gives the text, so that marks are never stale.


def _pairs(text: str, path: Keys) -> list[tuple[yaml.Node, yaml.MappingNode, int]]:
    """Per key of the path, as far as it is there: node of its value, mapping that holds it, place in there."""
    node: Any = compose_yaml(text)
    found = []
    for key in path:
        keys = [name.value for name, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        if key not in keys:
            break
        place = keys.index(key)
        found.append((node.value[place][1], node, place))
        node = node.value[place][1]
    return found


def _end(node: yaml.Node) -> int:
    """Where the last value in a node ends: a block's own mark is behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _line_end(text: str, index: int) -> int:
    """Just behind the line that an index is in."""
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _insert(text: str, old: Keys, new: Keys) -> str:
    """The value of `old` and the comment on its line also at `new`: beside the old key if they share a section."""
    found = _pairs(text, old)
    value, parent, place = found[-1]
    written = text[value.start_mark.index : _end(value)]
    above = _pairs(text, new[:-1])
    target = above[-1][0] if above else compose_yaml(text)
    key, *inner = new[len(above) :]
    entry = f"{key}: " + "".join(f"{{{name}: " for name in inner) + written + "}" * len(inner)
    if not isinstance(target, yaml.MappingNode):
        return text  # refused by the check of what comes out
    last = place if target.start_mark.index == parent.start_mark.index else len(target.value) - 1
    at = _end(target.value[last][1]) if target.value else target.start_mark.index + 1
    if target.flow_style:
        return text[:at] + (", " if target.value else "") + entry + text[at:]
    comment = "" if parent.flow_style else text[_end(value) : _line_end(text, _end(value))].rstrip("\n")
    at = _line_end(text, at)
    before = text[:at] if text[:at].endswith("\n") else text[:at] + "\n"
    return before + " " * target.value[0][0].start_mark.column + entry + comment + "\n" + text[at:]


def _remove(text: str, old: Keys) -> str:
    """Without a key, and without sections that held nothing else."""
    found = _pairs(text, old)
    while len(found) > 1 and len(found[-1][1].value) == 1:
        found.pop()
    value, parent, place = found[-1]
    start, end = parent.value[place][0].start_mark.index, _end(value)
    if not parent.flow_style:
        return text[: text.rfind("\n", 0, start) + 1] + text[_line_end(text, end) :]
    if place + 1 < len(parent.value):
        return text[:start] + text[parent.value[place + 1][0].start_mark.index :]
    return text[: _end(parent.value[place - 1][1])] + text[end:]


def _with_version(text: str) -> str:
    """With the current version: in its place, or above the first key."""
    found = _pairs(text, ("version",))
    if found:
        value = found[0][0]
        return text[: value.start_mark.index] + str(VERSION) + text[_end(value) :]
    root = compose_yaml(text)
    assert isinstance(root, yaml.MappingNode)  # `parse_yaml` has seen to it
    if root.flow_style:
        at = root.start_mark.index + 1
        return f"{text[:at]}version: {VERSION}{', ' if root.value else ''}{text[at:]}"
    at = root.value[0][0].start_mark.index
    return f"{text[:at]}version: {VERSION}\n{text[at:]}"
