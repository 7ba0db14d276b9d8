"""A sheet as a file: a picture, or a page that stands alone and prints to scale."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from ecglfm.evaluation.plots import literal, save_ecg
from ecglfm.evaluation.report import environment
from ecglfm.provenance import write_text


def is_page(output: Path) -> bool:
    """Whether a file is a page, not a picture."""
    return output.suffix.lower() == ".html"


def write_sheet(output: Path, figure: Figure, title: str, lines: Sequence[str], **content: Any) -> None:
    """Write a sheet as `save_ecg` does, or as `.html`.

    Parameters
    ----------
    output : path
    figure : Figure
        Of `plot_ecg`; for a page without title and lines, which it has itself.
    title : str
    lines : sequence of str
        What the page says of the recording.
    **content
        `tables` (list of dict of `title`, `head`, `rows`) and `notes` (list of str) below the picture.

    Raises
    ------
    UserError
        Another ending.
    """
    if not is_page(output):
        save_ecg(output, figure)
        return
    template = environment().get_template("sheet.html.j2")
    shown = {"title": title, "lines": list(lines), "svg": svg_of(figure), "tables": [], "notes": []} | content
    write_text(output, template.render(shown))


def svg_of(figure: Figure) -> str:
    """The picture as part of a page, without the head that a file has."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "ecglfm"}):
        literal(figure).savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
