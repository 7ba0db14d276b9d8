"""What the report says of verifications: who is told apart how well by which encoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from ecglfm.config import UserError
from ecglfm.evaluation.plots import data_uri
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.provenance import read_json


def verification_sections(results: Path, named: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Tasks with the measures of every encoder.

    Parameters
    ----------
    results : path
    named : sequence of str, optional
        `encoder/task` of each verification to show; by default every one that has a folder.

    Returns
    -------
    list of dict
        `task`; `rows`: `encoder`, `metrics`, `curves` (a picture for the page, or None); `missing`: encoders.

    Raises
    ------
    UserError
        A name is not `encoder/task`, or a file cannot be read.
    """
    if named is None:
        named = ["/".join(path.parts[-3:-1]) for path in sorted((results / "verify").glob("*/*/metrics.json"))]
    return [_section(results, task, [name.split("/")[0] for name in names]) for task, names in _by_task(named)]


def _by_task(named: Sequence[str]) -> list[tuple[str, list[str]]]:
    for name in named:
        if len(parts := name.split("/")) != 2 or not all(parts) or {".", ".."} & set(parts):
            raise UserError(f"--verified {name}: expected encoder/task, e.g. tiny/identification")
    ordered = sorted(named, key=lambda name: name.split("/")[1])  # within a task as given
    return [(task, list(names)) for task, names in groupby(ordered, key=lambda name: name.split("/")[1])]


def _section(results: Path, task: str, encoders: list[str]) -> dict[str, Any]:
    """One task."""
    section: dict[str, Any] = {"task": task, "rows": [], "missing": []}
    for encoder in encoders:
        folder = results / "verify" / encoder / task
        metrics = read_if_there(folder / "metrics.json", read_json)
        if metrics is None:
            section["missing"].append(encoder)
            continue
        picture = read_if_there(folder / "curves.png", Path.read_bytes)
        curves = None if picture is None else data_uri(picture)
        section["rows"].append({"encoder": encoder, "metrics": metrics, "curves": curves})
    return section
