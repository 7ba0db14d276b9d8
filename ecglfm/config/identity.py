"""A results folder belongs to the databases that filled it: two projects never mix in one folder.

A run writes `<results>/config/identity.json`. What stands there of a source binds once its index exists, so that a
mistyped root locks nothing. Later runs may change any parameter and may add sources; a run without one of the bound
sources, or with another database under its name, is refused. A database that was moved is known by its tables.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ecglfm.config.base import UserError
from ecglfm.config.project import Project
from ecglfm.config.sources import SourceConfig


def _path(project: Project) -> Path:
    return Path(project.config.results) / "config" / "identity.json"


def _hashes(source: SourceConfig) -> dict[str, str]:
    """SHA-256 of each of a database's tables; {} where one of them is missing."""
    paths = [Path(source.root or "") / table for table in source.tables]
    if not all(path.is_file() for path in paths):
        return {}
    hashes = {}
    for table, path in zip(source.tables, paths, strict=True):
        with path.open("rb") as file:
            hashes[table] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def _remembered(project: Project) -> dict[str, dict[str, Any]]:
    """Kind, root and hashes of tables of each source whose index is there; {} before the first run."""
    path = _path(project)
    if not path.exists():
        return {}
    try:
        content = dict(json.loads(path.read_text(encoding="utf-8")))
        sources = {name: _entry(said) for name, said in content.items()}
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: not the JSON that a run writes there; delete it") from None
    index = Path(project.config.results) / "index"
    return {name: said for name, said in sources.items() if (index / f"{name}.parquet").exists()}


def _entry(said: Any) -> dict[str, Any]:
    """What is remembered of one source; before tables were, it was `kind root` in one text."""
    if isinstance(said, str):
        kind, root = said.split(" ", 1)
        return {"kind": kind, "root": root, "tables": {}}
    return {"kind": str(said["kind"]), "root": str(said["root"]), "tables": dict(said["tables"])}


def _is_same(said: dict[str, Any], source: SourceConfig) -> bool:
    """Whether a source is the database that is remembered: in the same place, or with the same tables elsewhere."""
    if said["kind"] != source.kind:
        return False
    if source.kind == "synthetic" or Path(said["root"]).resolve() == Path(source.root or "").resolve():
        return True
    return bool(said["tables"]) and said["tables"] == _hashes(source)


def check_identity(project: Project) -> None:
    """Raise `UserError` when `results` can be no folder, or the folder was filled by another set of databases."""
    results = Path(project.config.results)
    for folder in (results, *results.parents):
        if folder.is_symlink() and not folder.exists():
            raise UserError(
                f"results: {folder} is a link to {folder.readlink()}, which is not there: is its disk mounted?"
            )
        if folder.exists() and not folder.is_dir():
            raise UserError(f"results: {folder} is a file; name a folder with the key `results` (--config results=…)")
    for name, said in _remembered(project).items():
        source = project.sources.get(name)
        if source is None:
            now = "this config leaves it out"
        elif not _is_same(said, source):
            now = f"this config reads '{source.kind} {source.root}', whose tables are not the same"
        else:
            continue
        raise UserError(
            f"{project.config.results}/ was filled from source {name!r} ({said['kind']} {said['root']}), {now}: choose"
            f" another folder with the key `results` (--config results=…), or delete {_path(project)} if the change is"
            " meant"
        )


def write_identity(project: Project) -> None:
    """Remember the databases of this project in its results folder."""
    remembered, content = _remembered(project), {}
    for name, source in project.sources.items():
        # The workflow writes a synthetic database itself, below `results`.
        made = source.kind == "synthetic"
        tables = {} if made else _hashes(source) or remembered.get(name, {}).get("tables", {})
        content[name] = {"kind": source.kind, "root": "" if made else source.root, "tables": tables}
    path = _path(project)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)
