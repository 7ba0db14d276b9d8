"""Tests mirror the package: whoever changes a module finds its tests by its name.

`ecglfm/a/b.py` has `tests/unit/a/test_b.py`, and what a room's `__init__.py` computes `tests/unit/a/test_a.py`. A module
needs a test where it has logic: at least `LOGIC` branches, loops, comprehensions, handlers and arithmetic operations in
its functions. That a number can be wrong is what counts, not lines: arguments that are declared or handed on have none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

LOGIC = 4
_DECIDES = (
    ast.If, ast.IfExp, ast.For, ast.While, ast.Match, ast.ExceptHandler, ast.BoolOp, ast.BinOp,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip

#: Modules with logic and without a test of their name, each with the reason. May only become fewer.
EXCEPTIONS: dict[str, str] = {}


def _statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Everything in a body but annotations, where `|` is no arithmetic; not what stands in functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        left_out = [node.annotation] if isinstance(node, ast.AnnAssign) else []
        waiting += [child for child in ast.iter_child_nodes(node) if child not in left_out]


def logic(module: Path) -> int:
    """Decisions and operations in a module's functions."""
    functions = [
        node
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return sum(isinstance(node, _DECIDES) for function in functions for node in _statements(function))


def _test_of(repository: Path, module: Path) -> Path:
    within = module.relative_to(repository / "ecglfm")
    name = within.parent.name if within.stem == "__init__" else within.stem
    return repository / "tests/unit" / within.parent / f"test_{name}.py"


def test_every_module_with_logic_has_its_test(repository: Path) -> None:
    package = repository / "ecglfm"
    modules = {
        str(module.relative_to(package)): _test_of(repository, module).is_file()
        for module in sorted(package.rglob("*.py"))
        if module.parent != package or module.stem != "__init__"
        if logic(module) >= LOGIC
    }
    assert [name for name, tested in modules.items() if not tested and name not in EXCEPTIONS] == []
    assert [name for name in EXCEPTIONS if modules.get(name, True)] == [], "take these off the list"


def test_what_counts_as_logic(tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    module.write_text(
        "A = 1 if True else 2\n"  # outside of functions: a constant
        "def f(x: int | None) -> int | None:\n"
        "    y: int | str = 1\n"
        "    return [a + 1 for a in range(3)] if x and y else []\n"
    )
    assert logic(module) == 4  # a choice, `and`, a comprehension, a sum
