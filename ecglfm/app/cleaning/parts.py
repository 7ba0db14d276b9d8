"""What of a results folder could go: by stage, of this project alone, and never through a link."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from ecglfm.app.cleaning.remains import find_remains
from ecglfm.app.follow import holders, locked
from ecglfm.config import Project, UserError
from ecglfm.lock import is_running

Keep = Literal["models", "encoders", "reports"]

#: Folders of a source each: what is made of raw data, the largest and the quickest to make again.
BY_SOURCE = ("synthetic", "ingest", "preprocess")
#: What is small and tells how the rest was made: gone only where nothing is kept.
WITHOUT_KEEP = (
    "index", "labels", "manifest", "evaluate", "verify", "transport", "lead_sets", "leaderboard", "confounders",
    "serial", "umap", "discover", "report", "logs", "tracking", "mlartifacts", "mlflow.db", ".mlflow.db.lock",
    "config",
)  # fmt: skip


#: Of what people who were left out are in, what stays by the word of who says so.
_TRAINED = {"models": ("pretrain", "finetune"), "encoders": ("pretrain",)}


class Part(NamedTuple):
    """Something that would go.

    Attributes
    ----------
    stage : str
        What it is counted under.
    path : path
    size : int
        Bytes of the files in it; links count nothing.
    """

    stage: str
    path: Path
    size: int


def find_parts(project: Project, keep: Keep | None, *, excluded: bool = False) -> tuple[list[Part], list[str]]:
    """What would go, and what is left alone although its place says that it could.

    Parameters
    ----------
    project : Project
    keep : str or None
        `models`: encoders, models, evaluations and reports stay. `encoders`: models go, too. `reports`: and encoders.
        None: all of this project goes.
    excluded : bool
        Instead of that, what is still of people whom `exclude_patients` leaves out (`find_remains`), but for the models
        or encoders that are kept.

    Returns
    -------
    parts : list of Part
    left : list of str
        A line for each folder of another project, or link, and for what `find_remains` cannot judge.

    Raises
    ------
    UserError
        The folder is none that a run has filled, or one is under way.
    """
    results = Path(project.config.results)
    if not (results / "config" / "identity.json").is_file():
        raise UserError(f"{results}: no folder of results: config/identity.json, which a run writes there, is missing")
    _check_idle(results)
    candidates: Iterable[tuple[str, Path]]
    strangers: list[Path] = []
    unknown: list[str] = []
    if excluded:
        excluding = [name for name, one in project.sources.items() if one.exclude_patients]
        remains, unknown = find_remains(results, excluding)
        stages = [(path.relative_to(results).parts[0], path) for path in remains]
        kept = _TRAINED.get(keep or "", ())
        candidates = [(stage, part) for stage, path in stages for part in (_pages(path) if stage in kept else [path])]
    else:
        strangers = list(_strangers(project, keep))
        candidates = _candidates(project, keep, shared=bool(strangers))
    parts, left = [], [*(f"{path}: not of this config" for path in strangers), *unknown]
    for stage, path in candidates:
        within = [part for part in (path, *path.parents) if part != results and part.is_relative_to(results)]
        link = next((part for part in within if part.is_symlink()), None)
        if link is not None:
            left.append(f"{link}: a link to {os.readlink(link)}")
        elif path.exists() and (other := _other_project(path)) is not None:
            left.append(f"{path}: {other} is another project's results")
        elif path.exists():
            parts.append(Part(stage, path, _size(path)))
    return parts, list(dict.fromkeys(left))


def _pages(path: Path) -> list[Path]:
    """Pages, such as a model's card, which go although the model stays."""
    return [path] if path.suffix == ".html" else sorted(path.rglob("*.html"))


def _candidates(project: Project, keep: Keep | None, *, shared: bool) -> Iterator[tuple[str, Path]]:
    """Stage and path of what is this project's and may go; of a folder that others share nothing common."""
    results = Path(project.config.results)
    for stage in BY_SOURCE:
        yield from ((stage, results / stage / source) for source in project.sources)
    for encoder in project.encoders:
        yield "embed", results / "embed" / encoder
        trained = results / "pretrain" / encoder
        if keep == "reports" or keep is None:
            yield "pretrain", trained
        elif (trained / "encoder.safetensors").exists():  # one that has not ended would resume from them
            yield "checkpoints", trained / "checkpoints"
            yield "checkpoints", trained / "reports"
        if keep != "models":
            for task in project.tasks:
                yield from (("finetune", results / "finetune" / encoder / task / fit) for fit in _fits(project, task))
    if keep is None and not shared:
        yield from ((name, results / name) for name in WITHOUT_KEEP)


def _fits(project: Project, task: str) -> list[str]:
    """Names of the models of a task."""
    fits = dict.fromkeys([*project.fits, *project.efficiency_fits])
    return list(dict.fromkeys(name for fit in fits for name in (fit, *project.models(task, fit))))


def _strangers(project: Project, keep: Keep | None) -> Iterator[Path]:
    """Folders of sources, encoders, tasks and fits that this config does not name."""
    results = Path(project.config.results)
    named: dict[str, set[str]] = {stage: set(project.sources) for stage in BY_SOURCE}
    named["embed"] = set(project.encoders)
    if keep in ("reports", None):
        named["pretrain"] = set(project.encoders)
    if keep != "models":
        named["finetune"] = set(project.encoders)
        for encoder in project.encoders:
            named[f"finetune/{encoder}"] = set(project.tasks)
            named |= {f"finetune/{encoder}/{task}": set(_fits(project, task)) for task in project.tasks}
    for stage, names in named.items():
        folder = results / stage
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name not in names and path.is_dir():
                yield path


def _other_project(path: Path) -> Path | None:
    """A folder within `path` that another project's run has filled."""
    for folder, names, files in os.walk(path):
        if Path(folder).name == "config" and "identity.json" in files and Path(folder) != path:
            return Path(folder).parent
        names.sort()
    return None


def _size(path: Path) -> int:
    """Bytes of the files in a folder, those of links left out."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum(
        (Path(folder) / name).lstat().st_size
        for folder, _, files in os.walk(path)
        for name in files
        if not (Path(folder) / name).is_symlink()
    )


def _check_idle(results: Path) -> None:
    """Raise `UserError` where a run or a training may be writing."""
    if any(Path(name).is_relative_to(results) for name in locked()):
        raise UserError(
            f"{results}: Snakemake holds its lock: a run is under way; wait for it, or stop it. After a kill, once none"
            " of its jobs runs any more: snakemake --unlock"
        )
    for lock, holder in holders(results):
        if is_running(holder):
            raise UserError(
                f"{lock}: process {holder['pid']} on {holder['host']} trains there; wait for it, or stop it"
            )


def remove_parts(parts: list[Part]) -> None:
    """Delete them; links in them are deleted, never what they lead to."""
    for part in parts:
        if part.path.is_dir():
            shutil.rmtree(part.path)
        else:
            part.path.unlink(missing_ok=True)
    for folder in sorted({part.path.parent for part in parts}, key=lambda path: -len(path.parts)):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def size_of(parts: list[Part]) -> str:
    """How large they are together."""
    return size_text(sum(part.size for part in parts))


def show_parts(parts: list[Part], left: list[str]) -> str:
    """Size by stage, and what is left alone."""
    sizes: dict[str, list[Part]] = {}
    for part in parts:
        sizes.setdefault(part.stage, []).append(part)
    width = max(map(len, sizes), default=0)
    lines = []
    for stage, those in sizes.items():
        paths = ", ".join(str(part.path) for part in those[:3]) + (f" and {len(those) - 3} more" if those[3:] else "")
        lines.append(f"{stage:{width}}  {size_text(sum(part.size for part in those)):>9}  {paths}")
    return "\n".join([*lines, *(f"left alone: {line}" for line in left)])


def size_text(size: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
