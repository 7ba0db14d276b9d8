"""Which version of the config, and of the package, a results folder was made with: told before another goes on in it.

What is made anew is decided by the slices alone; this says that the folder will hold results of two versions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from ecglfm import __version__
from ecglfm.config.base import UserError
from ecglfm.config.version import VERSION


class Made(NamedTuple):
    """What a results folder was made with: version of the config, and of the package ('' where nobody wrote it)."""

    config: int
    ecglfm: str


NOW = Made(VERSION, __version__)


def _path(results: Path) -> Path:
    return results / "config" / "version.json"


def made_with(results: Path) -> Made | None:
    """What a results folder was made with; None where no run has begun in it.

    Raises
    ------
    UserError
        The file is not what a run writes there.
    """
    path = _path(results)
    if path.exists():
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            return Made(int(said["config"]), str(said["ecglfm"]))
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path}: not the JSON that a run writes there; delete it") from None
    return Made(1, "") if path.with_name("identity.json").exists() else None


def write_made_with(results: Path) -> None:
    """Remember in a results folder what this run makes it with."""
    path = _path(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(NOW._asdict(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


def check_made_with(results: Path) -> None:
    """Raise `UserError` when a newer version than this one made a results folder."""
    made = made_with(results)
    if made is not None and made.config > VERSION:
        raise UserError(
            f"{results}/ was made by ecglfm {made.ecglfm} with version {made.config} of the config, and this is ecglfm"
            f" {__version__}, version {VERSION}: go on with the newer one, or choose another folder"
            " (--config results=FOLDER)"
        )


def earlier(results: Path) -> str | None:
    """What a run says before it goes on in results that another version made; None where it is the same."""
    made = made_with(results)
    if made is None or made == NOW:
        return None
    before = f"ecglfm {made.ecglfm}, version {made.config}" if made.ecglfm else f"version {made.config}"
    return (
        f"{results}/ was made with {before} of the config; this is ecglfm {__version__}, version {VERSION}: what its"
        " settings change is made anew, the rest stays as it was made; to keep the old ones whole, choose another"
        " folder: `--config results=FOLDER`"
    )
