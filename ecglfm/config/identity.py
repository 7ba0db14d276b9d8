"""A results folder belongs to the databases that filled it: two projects never mix in one folder.

The first real run writes `<results>/config/identity.json`. Later runs may change any parameter and
may add sources; a run without one of the remembered sources, or with another database under its
name, is refused.
"""

from __future__ import annotations

import json
from pathlib import Path

from ecglfm.config.base import UserError
from ecglfm.config.slices import Project


def _path(project: Project) -> Path:
    return Path(project.config.results) / "config" / "identity.json"


def _databases(project: Project) -> dict[str, str]:
    """Source: kind and folder of its database."""
    return {name: f"{source.kind} {source.root}" for name, source in project.sources.items()}


def check_identity(project: Project) -> None:
    """Raise `UserError` when the results folder was filled by another set of databases."""
    path = _path(project)
    if not path.exists():
        return
    try:
        remembered = dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise UserError(f"{path}: not the JSON that a run writes there; delete it") from None
    current = _databases(project)
    for source, database in remembered.items():
        if current.get(source) != database:
            now = f"this config reads {current[source]!r}" if source in current else "this config leaves it out"
            raise UserError(
                f"{project.config.results}/ was filled from source {source!r} ({database}), {now}: choose another"
                f" folder with the key `results` (--config results=…), or delete {path} if the change is meant"
            )


def write_identity(project: Project) -> None:
    """Remember the databases of this project in its results folder."""
    path = _path(project)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(_databases(project), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)
