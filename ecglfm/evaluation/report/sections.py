"""Sections of the report about analyses that have a target of their own, shown where that has been made.

An analysis owns a module here, `NAME_section.py`, with one `Section`, which `report.py` lists, and the file's name in
`ANALYSES` of `workflow/rules/common.smk`, so that the report is made anew when the analysis is, and after it where
one call asks for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes
    ----------
    name : str
        The Snakemake target that makes it, and its anchor on the page.
    title : str
        Its heading, level 2, which the report writes.
    file : str
        What the target makes, within the results folder: without it there is no section.
    content : callable
        The HTML below the heading, of the results folder; pictures within it are data URIs. What `environment()`
        renders is escaped; nothing else is.
    """

    name: str
    title: str
    file: str
    content: Callable[[Path], str]


def made_sections(results: Path, sections: Iterable[Section]) -> list[dict[str, Any]]:
    """Name, title and content of the sections whose files are there; with those that models made later than they are.

    Parameters
    ----------
    results : path
    sections : iterable of Section
        In the order in which they are shown.
    """
    return [
        {
            "name": section.name,
            "title": section.title,
            "content": section.content(results),
            "older": _older(results, results / section.file),
        }
        for section in sections
        if (results / section.file).is_file()
    ]


def _older(results: Path, file: Path) -> list[str]:
    """Encoders that were made anew after an analysis, which is then of other weights than the rest of the page."""
    made = file.stat().st_mtime
    encoders = sorted((results / "pretrain").glob("*/encoder.json"))
    return [path.parent.name for path in encoders if path.stat().st_mtime > made]
