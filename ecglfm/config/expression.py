"""Conditions on columns, as a config writes them: `age >= 18 and source == "ptbxl"`.

The text is parsed as Python's grammar has it and then taken apart node by node: comparisons of a column
with constants, `and`, `or`, `not`, brackets. Nothing is ever evaluated as code, and anything else is an error.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_LONGEST = 2000
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.In: "in", ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Comparison:
    """One column against a constant, a list of constants (`in`, `not in`) or None (`is`, `is not`)."""

    column: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    part: Condition


@dataclass(frozen=True)
class All:
    """Every one of the conditions."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of the conditions."""

    parts: tuple[Condition, ...]


Condition = Comparison | Not | All | AnyOf


def parse_condition(text: str) -> Condition:
    """Take a condition apart.

    A column is a name, `native.name`, or `native["any name"]`. `None` stands with `is` and `is not`.

    Raises
    ------
    ValueError
        It is no condition; the message shows the part that is not understood.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"the condition has {len(text)} characters; at most {_LONGEST}, please")
    try:
        return _condition(ast.parse(text.strip(), mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no condition such as `age >= 18 and sex == 'female'`: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise ValueError(f"{text[:60]!r} … is nested too deeply") from None


def columns_of(condition: Condition) -> list[str]:
    """Names of the columns that a condition reads, sorted."""
    return sorted({part.column for part in comparisons(condition)})


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """What a condition compares, from left to right."""
    if isinstance(condition, Comparison):
        yield condition
        return
    for part in (condition.part,) if isinstance(condition, Not) else condition.parts:
        yield from comparisons(part)


def _condition(node: ast.expr) -> Condition:
    if isinstance(node, ast.BoolOp):
        parts = tuple(_condition(value) for value in node.values)
        return All(parts) if isinstance(node.op, ast.And) else AnyOf(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return Not(_condition(node.operand))
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        found = [
            _comparison(left, _OPERATORS[type(op)], right)
            for left, op, right in zip(sides[:-1], node.ops, sides[1:], strict=True)
        ]
        return found[0] if len(found) == 1 else All(tuple(found))
    raise ValueError(
        f"{_show(node)} is no comparison; write e.g. `age >= 18`, `sex == 'female'`, `source in ['a', 'b']`, "
        "`age is not None`, joined by `and`, `or`, `not`"
    )


def _comparison(left: ast.expr, operator: str, right: ast.expr) -> Comparison:
    names = _column(left), _column(right)
    if (names[0] is None) == (names[1] is None):
        what, mend = "no column", "column, operator, value"
        if names[0] is not None:
            what, mend = "two columns", f"a word in quotes, {names[0]} {operator} '{names[1]}'"
        raise ValueError(f"{_show(left)} {operator} {_show(right)} compares {what}; write {mend}")
    if names[0] is None:
        if operator not in _TURNED:
            raise ValueError(f"{_show(left)} {operator} {_show(right)}: the column stands on the left of {operator!r}")
        return _comparison(right, _TURNED[operator], left)
    listed = isinstance(right, ast.List | ast.Tuple | ast.Set)
    if operator in {"in", "not in"} and not listed:
        raise ValueError(f"{operator} {_show(right)}: write a list of values, e.g. `in ['a', 'b']`")
    value = [_constant(item) for item in right.elts] if isinstance(right, ast.List | ast.Tuple | ast.Set) else None
    if not listed:
        value = _constant(right)
        if (value is None) != (operator in {"is", "is not"}):
            raise ValueError(f"{operator} {_show(right)}: `is` and `is not` go with None, and only they do")
    elif operator not in {"in", "not in"} or not value or None in value:
        raise ValueError(f"{operator} {_show(right)}: a list of values goes with `in` and `not in`")
    return Comparison(names[0], operator, value)


def _column(node: ast.expr) -> str | None:
    """Name of a column, None for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "native":
        return f"native.{node.attr}"
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "native"
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ):
        return f"native.{node.slice.value}"
    return None


def _constant(node: ast.expr) -> Any:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = _constant(node.operand)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value
    if isinstance(node, ast.Constant) and type(node.value) in {int, float, str, bool, type(None)}:
        if isinstance(node.value, int) and abs(node.value) > sys.float_info.max:
            raise ValueError(f"{_show(node)} is too large a number")
        return node.value
    raise ValueError(f"{_show(node)} is not a number, a text in quotes, True, False or None")


def _show(node: ast.expr) -> str:
    text = ast.unparse(node)
    return f"`{text if len(text) <= 60 else text[:57] + '…'}`"
