"""`config/schema.json` and `config/README.md`, generated from the typed config.

The text before the tables is `readme.md` beside this file; the tables are the classes themselves, so they cannot drift.
"""

from __future__ import annotations

import json
import typing
from importlib.resources import files
from typing import Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

from ecglfm.config.base import OneOf, Section, choices, inner_section
from ecglfm.config.project import ProjectConfig
from ecglfm.config.sources import SourceConfig
from ecglfm.config.tasks import TaskConfig
from ecglfm.config.training import EncoderConfig
from ecglfm.config.verification import VerificationConfig

#: What stands before the tables.
INTRODUCTION = files("ecglfm.config").joinpath("readme.md")


def schema() -> str:
    """Return the JSON schema of every kind of file, as JSON text."""
    classes: dict[str, type[Section]] = {
        "config": ProjectConfig,
        "source": SourceConfig,
        "encoder": EncoderConfig,
        "task": TaskConfig,
        "verification": VerificationConfig,
    }
    content = {name: cls.model_json_schema() for name, cls in classes.items()}
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def markdown() -> str:
    """Return `config/README.md`: the introduction and a table of every key."""
    parts = [INTRODUCTION.read_text(encoding="utf-8")]
    for title, cls in (
        ("`config.yaml` and recipes", ProjectConfig),
        ("`sources/{source}.yaml`", SourceConfig),
        ("`encoders/{encoder}.yaml`", EncoderConfig),
        ("`tasks/{task}.yaml`", TaskConfig),
        ("`tasks/{task}.yaml` with `kind: verification`", VerificationConfig),
    ):
        parts.append(f"## {title}\n\n| key | type | default | meaning |\n|---|---|---|---|")
        parts.append("\n".join(_rows(cls, "")) + "\n")
    return "\n".join(parts)


def _rows(cls: type[Section], prefix: str, given: Section | None = None) -> list[str]:
    """Table rows of a section and of the sections inside it; `given` holds the defaults of its place."""
    hints = typing.get_type_hints(cls)
    rows = []
    for name, field in cls.model_fields.items():
        inner = inner_section(hints[name])
        value = getattr(given, name) if given is not None else field.default
        type_name = "section" if choices(field) else _type_name(hints[name])
        for names in (found.names for found in field.metadata if isinstance(found, OneOf)):
            type_name = " or ".join(f"`{one}`" for one in names)
        default = "required" if value is PydanticUndefined else f"`{_text(value)}`"
        if isinstance(value, Section):
            default = "see below"
        rows.append(f"| `{prefix}{name}` | {type_name} | {default} | {field.description} |")
        if kinds := choices(field):
            rows += _rows_of_kinds(kinds, f"{prefix}{name}.", field.description or "")
        elif inner is not None:
            rows += _rows(inner, f"{prefix}{name}{_entry(hints[name])}.", value if isinstance(value, Section) else None)
    return rows


def _rows_of_kinds(kinds: dict[str, type[Section]], prefix: str, what: str) -> list[str]:
    """Table rows of a section that has a class for each `kind`: each row once, what most of them have first."""
    meanings = (f"`{kind}`: {cls.model_fields['kind'].description}" for kind, cls in kinds.items())
    names = " or ".join(f"`{kind}`" for kind in kinds)
    first = f"| `{prefix}kind` | {names} | `{next(iter(kinds))}` | {what}; {'; '.join(meanings)} |"
    owners: dict[str, list[str]] = {}
    for kind, cls in kinds.items():
        for row in _rows(cls, prefix):
            if not row.startswith(f"| `{prefix}kind` "):
                owners.setdefault(row, []).append(kind)
    rows = [first]
    for row, of in sorted(owners.items(), key=lambda item: -len(item[1])):
        *cells, meaning = row.split(" | ", 3)
        only = "" if len(of) == len(kinds) else " and ".join(f"`{kind}`" for kind in of) + " only: "
        rows.append(" | ".join([*cells, only + meaning]))
    return rows


def _entry(hint: Any) -> str:
    """Return `.{name}` for each level of a mapping whose keys the user chooses."""
    if get_origin(hint) is dict:
        return ".{name}" + _entry(get_args(hint)[1])
    return ""


def _type_name(hint: Any) -> str:
    """Return a type as a person would write it."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is type(None):
        return "null"
    if origin is Literal:
        return " or ".join(f"`{arg}`" for arg in args)
    if origin is list:
        return f"list of {_type_name(args[0])}"
    if origin is tuple:
        return "[" + ", ".join(_type_name(arg) for arg in args) + "]"
    if origin is dict:
        return "mapping"
    if origin is not None and args:  # a union
        return " or ".join(_type_name(arg) for arg in args)
    if isinstance(hint, type) and issubclass(hint, Section):
        return "section"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(
        getattr(hint, "__name__", ""), "anything"
    )


def _text(default: Any) -> str:
    """Return a default as YAML flow text."""
    return json.dumps(default, default=str).replace('"', "")
