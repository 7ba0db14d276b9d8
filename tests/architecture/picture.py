"""The picture of the house in docs/architecture.md: `python -m tests.architecture.picture` draws it anew.

A band is a floor, a lower one never imports a higher one (pyproject.toml); a box is a room, with its files and the rooms of
its floor that it takes from.
"""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs/rooms.svg"
WIDTH, TITLE, ROW, BOX, GAP, MARGIN = 1000, 27, 66, 180, 12, 12
IN_A_ROW = (WIDTH - 2 * MARGIN) // (BOX + GAP)


def _floors() -> list[list[str]]:
    """Names from the top to the bottom; those of one band may not import each other."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    bands = [re.findall(r"ecglfm\.(\w+)", layer) for layer in layers]
    return [there for band in bands if (there := [name for name in band if _files(ROOT / "ecglfm" / name)])]


def _files(path: Path) -> list[Path]:
    """Modules of a floor or a room with those of the rooms inside; of a floor that is one file, that file."""
    single = path.with_suffix(".py")
    return [single] if single.exists() else sorted(path.rglob("*.py"))


def _rooms(floor: Path) -> list[Path]:
    return sorted(path.parent for path in floor.glob("*/__init__.py"))


def _takes(room: Path) -> list[str]:
    """Rooms of the same floor that this one imports from."""
    found = set()
    for path in _files(room):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {other.name for other in _rooms(room.parent) if f"{node.module}.".startswith(_dotted(other))}
    return sorted(found - {room.name})


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parts) + "."


def _says(path: Path) -> str:
    """First line of the docstring, without its end."""
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    line = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]
    return line.replace("`", "").rstrip(".")


def _text(x: float, y: float, words: str, style: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(words)}</text>'


def _box(room: Path, x: int, y: int) -> list[str]:
    count, takes = len(_files(room)), _takes(room)
    lines = [f"{count} files" + (f", with {', '.join(inner.name for inner in _rooms(room))}" if _rooms(room) else "")]
    lines += textwrap.wrap(f"from {', '.join(takes)}", 40) if takes else []
    return [
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{ROW - 10}" rx="6" fill="#fff" stroke="#3b6ea5"/>',
        _text(x + 8, y + 16, room.name, ' font-weight="bold"'),
        *(_text(x + 8, y + 29 + 11 * at, line, ' font-size="9" fill="#555"') for at, line in enumerate(lines)),
    ]


def _floor(floor: Path, x: int, y: int, width: int) -> list[str]:
    rooms, loose = _rooms(floor), len(_files(floor)) - sum(len(_files(room)) for room in _rooms(floor))
    note = f"{loose} file{'s' * (loose != 1)}" + (" beside the rooms" if rooms else "")
    height = _height(floor)
    return [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#eef3f8" stroke="#c5d3e2"/>',
        _text(x + 8, y + 17, floor.name, ' font-size="13" font-weight="bold" fill="#1f3f63"'),
        _text(x + 96, y + 17, f"{_says(floor)} ({note})", ' fill="#555"'),
        *(
            line
            for at, room in enumerate(rooms)
            for line in _box(room, x + 8 + at % IN_A_ROW * (BOX + GAP), y + TITLE + at // IN_A_ROW * ROW)
        ),
    ]


def _height(floor: Path) -> int:
    return TITLE + ROW * -(-len(_rooms(floor)) // IN_A_ROW)


def drawn() -> str:
    """The picture as SVG; the same tree gives the same text."""
    parts, y = [], MARGIN
    for band in _floors():
        for name in band:  # no gap between those that may not import each other
            floor = ROOT / "ecglfm" / name
            parts += _floor(floor, MARGIN, y, WIDTH - 2 * MARGIN)
            y += _height(floor)
        y += 6
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 6}" font-family="sans-serif" font-size="11">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y + 6}" fill="#fff"/>', *parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
