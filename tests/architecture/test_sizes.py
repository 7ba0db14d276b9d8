"""Files and functions that are read at one sitting."""

from __future__ import annotations

import ast
from pathlib import Path

FILE, FUNCTION = 300, 60  # lines; of a function without its docstring


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from its `def`, without its docstring."""
    assert function.end_lineno is not None
    first, whole = function.body[0], function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return whole
    assert first.end_lineno is not None
    return whole - (first.end_lineno - first.lineno + 1)


def too_long(package: Path) -> list[str]:
    """Files and functions of a package that are longer, as `path` and `path:function`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        name, text = str(path.relative_to(package)), path.read_text()
        if len(text.splitlines()) > FILE:
            found.append(name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines(node) > FUNCTION:
                found.append(f"{name}:{node.name}")
    return found


def test_files_and_functions_are_short(repository: Path) -> None:
    assert too_long(repository / "ecglfm") == []


def test_what_is_too_long(tmp_path: Path) -> None:
    """Sixty lines of code below a docstring of ten are none too many."""
    docstring = ['    """Say', *["    …"] * 8, '    """']
    for name, body in (("fits", [*docstring, *["    x = 1"] * 59]), ("long", [*docstring, *["    x = 1"] * 60])):
        (tmp_path / f"{name}.py").write_text("\n".join([f"def {name}():", *body, ""]))
    (tmp_path / "file.py").write_text("x = 1\n" * 301)
    (tmp_path / "other.py").write_text("x = 1\n" * 300)
    assert too_long(tmp_path) == ["file.py", "long.py:long"]
