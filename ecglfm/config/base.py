"""Strict YAML and strict types: how a config file becomes a checked, frozen object.

Snakemake parses `ecglfm.config` at every start, so it imports pydantic and yaml and nothing heavier.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic.fields import FieldInfo

from ecglfm.config.origin import Origin
from ecglfm.config.version import renamed
from ecglfm.config.wording import nearest, unknown, worded, yaml_problem

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
#: PyTorch, NumPy and hashing all take it.
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Precision = Literal["fp32", "tf32", "bf16", "fp16"]
PretrainPrecision = Literal["fp32", "tf32", "bf16", "fp16", "fp8"]


class UserError(ValueError):
    """A mistake in what the user gave; the message says what, where and how to mend it.

    The command line prints it as one line and exits with status 1, without a traceback.
    """


class Section(BaseModel):
    """A part of the config: frozen; an unknown key is an error, and so is a number that is infinite or none."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    #: Keys that came later: a dump leaves them out where they say the default, so that what was made before there were
    #: these keys stays what it is.
    LATER: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        fields = type(self).model_fields
        usual = {key for key in self.LATER if getattr(self, key) == fields[key].get_default(call_default_factory=True)}
        return {key: value for key, value in content.items() if key not in usual}


class _StrictLoader(yaml.SafeLoader):
    """YAML 1.2 scalars: `no`, `on`, `NO` are text, `1e-6` is a number; a key twice is an error; `<<: *name` merges."""


_StrictLoader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"}]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?|\.(?:inf|Inf|nan|NaN))$"),
    list("-+.0123456789"),
)


def _unique_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Build a mapping and refuse a key that stands twice (PyYAML would keep the last, silently)."""
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue  # `construct_mapping` brings those keys, before which the mapping's own go
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str) and key in seen:
            raise yaml.MarkedYAMLError(problem=f"key {key!r} stands twice", problem_mark=key_node.start_mark)
        if isinstance(key, str):
            seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


#: Values that a file may hold, each as often as aliases (`*name`) repeat it; a project's own are some thousand.
MAX_VALUES = 1_000_000
# Problems that YAML's parser finds behind the line in which they begin, which is their context.
_TOLD_LATE = ("could not find expected ':'", "found unexpected end of stream")


def _content(text: str) -> Any:
    """What YAML says; an alias of an alias of an alias is counted before anything is made of it."""
    loader = _StrictLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _values(node, {}) > MAX_VALUES:
            raise yaml.MarkedYAMLError(problem=f"its aliases stand for more than {MAX_VALUES:,} values")
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _values(node: yaml.Node, known: dict[int, float]) -> float:
    """Values below a node, counted as often as they stand there; infinite where it holds itself."""
    if id(node) not in known:
        known[id(node)] = math.inf  # until it is known: what is met within itself has no end
        inner = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = (part for pair in inner for part in (pair if isinstance(pair, tuple) else (pair,)))
        known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]


def read_yaml(path: str | Path, defined: Collection[str] = ()) -> dict[str, Any]:
    """Read one YAML mapping under YAML 1.2 rules.

    Parameters
    ----------
    path : path
    defined : collection of str, optional
        Names that need no file, for the message where there is none.

    Raises
    ------
    UserError
        The file is missing, is not YAML, repeats a key or is not a mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        names = sorted(p.stem for p in path.parent.glob("*.yaml"))
        own = f"; `define` has: {', '.join(defined)}" if defined else ""
        near = nearest(path.stem, [*defined, *names])
        raise UserError(
            f"{path}: no such file; {path.parent}/ has: {', '.join(names) or 'nothing'}{own}{near}"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8; save the file in that encoding") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> dict[str, Any]:
    """What the text of a file says; raises `UserError` as `read_yaml`, which see."""
    try:
        content = _content(text)
    except RecursionError:
        raise UserError(f"{path}: not valid YAML: brackets in brackets, too deep to read") from None
    except (AttributeError, KeyError, TypeError, OverflowError):  # of `!!bool perhaps`
        raise UserError(f"{path}: not valid YAML: a value is not what the `!!` before it says") from None
    except (yaml.YAMLError, ValueError) as error:
        said = str(getattr(error, "problem", error))
        mark = getattr(error, "context_mark" if said in _TOLD_LATE else "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = yaml_problem(said)
        raise UserError(f"{where}: not valid YAML: {problem}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected `key: value` lines, found {type(content).__name__}")
    return content


def compose_yaml(text: str) -> yaml.Node | None:
    """Nodes of text that `parse_yaml` has read: what stands where."""
    return yaml.compose(text, Loader=_StrictLoader)


SectionT = TypeVar("SectionT", bound=Section)


def _one_of_a_list(field: FieldInfo) -> Any:
    """Type of the items, where a field is a list."""
    return get_args(field.annotation)[0] if get_origin(field.annotation) is list else None


def tag(field: FieldInfo) -> str:
    """Key on which the class of a section, or of those in a list, depends, such as `kind`; empty where none does."""
    inside = getattr(_one_of_a_list(field), "__metadata__", ())
    found = (one.discriminator for one in (field, *inside) if isinstance(one, FieldInfo))
    return next((name for name in found if isinstance(name, str)), "")


def choices(field: FieldInfo) -> dict[str, type[Section]]:
    """Section of each value of that key; none where no class depends on one."""
    if not (name := tag(field)):
        return {}
    union = getattr(_one_of_a_list(field), "__origin__", field.annotation)
    return {get_args(cls.model_fields[name].annotation)[0]: cls for cls in get_args(union)}


def usual_kind(kind: str) -> BeforeValidator:
    """Which `kind` is meant where a section says none, though its class depends on that."""
    return BeforeValidator(lambda content: {"kind": kind} | content if isinstance(content, dict) else content)


class _Place(NamedTuple):
    """Where a mistake is: keys as the user writes them, the section of the last one, and what else it could be.

    Attributes
    ----------
    location : tuple
    section : section class or None
    kind : str
        Key and value on which the section's class depends, where it does: `kind 'vit'`.
    others : list of section classes
        Of the other values.
    """

    location: tuple[Any, ...]
    section: type[Section] | None
    kind: str = ""
    others: Sequence[type[Section]] = ()


def _place(cls: type[Section], location: tuple[Any, ...]) -> _Place:
    """What pydantic's `location` is for the user, who writes no kind on the way to a key."""
    inside: _Place = _Place((), cls)  # the section that holds the next key
    place, kinds, key = inside, dict[str, type[Section]](), ""
    for part in location:
        if part in kinds:
            others = [other for kind, other in kinds.items() if kind != part]
            inside, kinds = _Place((), kinds[part], f"{key} {part!r}", others), {}
            continue
        place = inside._replace(location=(*place.location, part))
        if inside.section is not None and part in inside.section.model_fields:  # else a name that the user chose
            field = inside.section.model_fields[part]
            inside, kinds, key = _Place((), inner_section(field.annotation)), choices(field), tag(field)
    return place


def _unknown(place: _Place) -> str:
    """What is said of a key that its section does not have."""
    key = str(place.location[-1])
    if any(key in other.model_fields for other in place.others):
        return f"{place.kind} has no key {key!r}; leave it out"
    return unknown(key, place.section.model_fields if place.section is not None else [])


def inner_section(hint: Any) -> type[Section] | None:
    """Return the section class inside a type such as `Section | None` or `dict[str, Section]`."""
    if isinstance(hint, type) and issubclass(hint, Section):
        return hint
    return next((found for arg in get_args(hint) if (found := inner_section(arg)) is not None), None)


def parse(cls: type[SectionT], content: dict[str, Any], where: str | Path | Origin) -> SectionT:
    """Validate `content` as `cls`, which came from `where`.

    Raises
    ------
    UserError
        One line per mistake: file, key, what is wrong, and the nearest known key.
    """
    try:
        return cls.model_validate(content)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            place = _place(cls, problem["loc"])
            key = ".".join(str(part) for part in place.location if part != "[key]") or "(whole file)"
            file = str(where.of(*place.location) if isinstance(where, Origin) else where)
            tagged = str(problem.get("ctx", {}).get("discriminator")).strip("'")
            if problem["type"] == "extra_forbidden":
                text = renamed(place.location, file) or _unknown(place)
            elif problem["type"] == "union_tag_not_found":
                text = f"write which `{tagged}` it is"
            elif problem["type"] == "union_tag_invalid":
                text = f"{tagged} {problem['ctx']['tag']!r} is none of {problem['ctx']['expected_tags']}"
            else:
                text = worded(problem)
            lines.append(f"{file}: {key}: {text}")
        raise UserError("\n".join(lines)) from None


def load(cls: type[SectionT], path: str | Path) -> SectionT:
    """Read and validate one YAML file; raises `UserError` as `read_yaml` and `parse` do."""
    return parse(cls, read_yaml(path), path)
