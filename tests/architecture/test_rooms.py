"""Rooms: what stands in a folder of a floor belongs together, and others take what its `__init__` hands out.

Floors and circles are import-linter's business (`pyproject.toml`); tests may reach into a room.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import ecglfm

#: Rooms that hand nothing out. `KINDS` has the name of each class in them, and `open_source` imports one when it is asked
#: for: a database costs what its own adapter imports, and nobody else has to know any.
ADAPTERS = ("ecglfm.sources.databases", "ecglfm.sources.folders")

_IMPORT = re.compile(r"\s*from (ecglfm[\w.]*) import (\w+(?:, \w+)*)")


def _files(repository: Path) -> list[Path]:
    return [*(repository / "ecglfm").rglob("*.py"), *(repository / "workflow").rglob("*.smk")]


def _rooms(repository: Path) -> dict[str, list[str]]:
    """Of each room, the names that it hands out."""
    package = repository / "ecglfm"
    doors = [package / "benchmark/__init__.py", *package.glob("*/*/**/__init__.py")]
    return {_name(repository, door): _handed_out(door) for door in doors}


def _name(repository: Path, path: Path) -> str:
    return ".".join(path.relative_to(repository).with_suffix("").parts).removesuffix(".__init__")


def _handed_out(door: Path) -> list[str]:
    for node in ast.parse(door.read_text()).body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return []


@cache
def _taken(path: Path) -> list[tuple[int, str, str]]:
    """Line, module and name of all that a file imports; also inside functions, and for types alone."""
    found = []
    if path.suffix == ".smk":  # Python, but for its rules
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.match(r"\s*(from|import) ecglfm", line):
                match = _IMPORT.match(line)
                assert match, f"{path}:{number}: a rule's imports are one line, from a module"
                found += [(number, match[1], name) for name in match[2].split(", ")]
        return found
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            found += [(node.lineno, node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, *alias.name.rpartition(".")[::2]) for alias in node.names]
    return found


def _within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def test_nobody_reaches_past_the_door_of_a_room(repository: Path) -> None:
    rooms = _rooms(repository)
    found = []
    for path in _files(repository):
        importer = _name(repository, path)
        for line, module, name in _taken(path):
            where = f"{path.relative_to(repository)}:{line}: {module}.{name}"
            if f"{module}.{name}" in rooms and module != importer:  # its files could be taken as its attributes
                found.append(f"{where} is a room: take what it hands out")
            for room, handed_out in rooms.items():
                if not _within(module, room) or _within(importer, room):
                    continue
                if module != room or name not in handed_out:
                    found.append(f"{where} is not handed out by {room}")
    assert found == []


def test_the_public_interface_goes_through_the_doors(repository: Path) -> None:
    rooms = _rooms(repository)
    public = {name: [room for room in rooms if _within(module, room)] for name, module in ecglfm._PUBLIC.items()}
    assert {name: within for name, within in public.items() if any(name not in rooms[room] for room in within)} == {}


def test_a_room_hands_out_what_it_has(repository: Path) -> None:
    """And nothing under the name of one of its files, of which whoever imports first would decide what it means."""
    for room, handed_out in _rooms(repository).items():
        door = repository / room.replace(".", "/") / "__init__.py"
        files = {path.stem for path in door.parent.iterdir()}
        body = ast.parse(door.read_text()).body
        imports = [node for node in body if isinstance(node, ast.ImportFrom)]
        bound = {alias.asname or alias.name: node.module for node in imports for alias in node.names}
        own = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
        targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
        own |= {target.id for target in targets if isinstance(target, ast.Name)}
        assert bool(handed_out) != (room in ADAPTERS), f"{door}: a room hands something out, in `__all__`"
        assert set(handed_out) <= {*bound, *own}, door
        assert [name for name in handed_out if name in files and bound.get(name) != room] == [], door


def test_what_a_room_hands_out_is_taken(repository: Path) -> None:
    """By another room; what a room that is imported itself hands out, or a file, is taken as `room.name`.

    Tests go to the module itself.
    """
    rooms = _rooms(repository)
    found = [(_name(repository, path), *what) for path in _files(repository) for what in _taken(path)]
    taken = {(module, name) for importer, _, module, name in found if importer != module or module not in rooms}
    taken |= {(module, name) for name, module in ecglfm._PUBLIC.items()}
    for room, handed_out in rooms.items():
        door = repository / room.replace(".", "/")
        files = {path.stem for path in door.iterdir()}
        left = [name for name in handed_out if name not in files and (room, name) not in taken]
        assert left == [] or room.rpartition(".")[::2] in taken, f"{room}: {left}"


def test_tests_stand_where_their_modules_do(repository: Path) -> None:
    unit = repository / "tests/unit"
    folders = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")}
    assert sorted(str(folder) for folder in folders if not (repository / "ecglfm" / folder).is_dir()) == []
