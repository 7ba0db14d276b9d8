"""Rooms: what stands in a folder of a floor belongs together, and others take what its `__init__` hands out.

Floors and circles are import-linter's business (`pyproject.toml`); tests may reach into a room.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import ecglfm

FLOORS = ("benchmark", "data", "discovery", "evaluation", "models", "training")


def _rooms(repository: Path) -> dict[str, list[str]]:
    """Of each room, the names that it hands out."""
    package = repository / "ecglfm"
    doors = [package / "benchmark/__init__.py"]
    doors += [door for floor in FLOORS for door in (package / floor).glob("*/**/__init__.py")]
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
    for path in (repository / "ecglfm").rglob("*.py"):
        importer = _name(repository, path)
        for line, module, name in _taken(path):
            for room, handed_out in rooms.items():
                if not _within(module, room) or _within(importer, room):
                    continue
                if module != room or name not in handed_out:
                    found.append(f"{path.relative_to(repository)}:{line}: {module}.{name} is not handed out by {room}")
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
        own |= {
            name.id
            for node in body
            if isinstance(node, ast.Assign)
            for name in node.targets
            if isinstance(name, ast.Name)
        }
        assert handed_out, f"{door}: a room hands something out, in `__all__`"
        assert set(handed_out) <= {*bound, *own}, door
        assert [name for name in handed_out if name in files and bound.get(name) != room] == [], door


def test_what_a_room_hands_out_is_taken(repository: Path) -> None:
    """By another room; a file that is handed out whole is taken as `room.file`. Tests go to the module itself."""
    files = (repository / "ecglfm").rglob("*.py")
    taken = {(module, name) for path in files for _, module, name in _taken(path) if _name(repository, path) != module}
    taken |= {(module, name) for name, module in ecglfm._PUBLIC.items()}
    for room, handed_out in _rooms(repository).items():
        door = repository / room.replace(".", "/")
        whole = {path.stem for path in door.iterdir()}
        assert [name for name in handed_out if name not in whole and (room, name) not in taken] == [], room


def test_tests_stand_where_their_modules_do(repository: Path) -> None:
    unit = repository / "tests/unit"
    folders = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")}
    assert sorted(str(folder) for folder in folders if not (repository / "ecglfm" / folder).is_dir()) == []
