"""`ecglfm plot`: a recording as it was recorded, on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecglfm.app.explanation.answers import answer_line
from ecglfm.app.explanation.page import is_page, write_sheet
from ecglfm.app.explanation.subject import look_at
from ecglfm.app.prediction import FromFiles, Predictor
from ecglfm.config import UserError
from ecglfm.evaluation.plots import plot_ecg


def run_plot(
    named: str | Path,
    reader: FromFiles,
    output: Path,
    *,
    model: Path | None = None,
    title: str | None = None,
    start: float = 0.0,
    layout: str | None = None,
    lead: str | None = None,
) -> list[str]:
    """Draw a recording as its file has it, unfiltered, with what a model says of it.

    Parameters
    ----------
    named : path
        As `ecglfm predict` takes it.
    reader : FromFiles
    output : path
        `.png`, `.pdf`, `.svg` or `.html`.
    model : path, optional
        Folder that `finetune` wrote.
    title : str, optional
        Instead of the recording's name.
    start : float
        Where the sheet begins, s.
    layout, lead : str, optional
        As of `plot_ecg`.

    Returns
    -------
    list of str
        The lines above the paper.

    Raises
    ------
    UserError
        The recording or the model cannot be read, `start` lies outside, or there is no such layout, lead or format.
    """
    subject = look_at(named, reader)
    shown = subject.shown
    seconds = len(shown.signal) / shown.sampling_rate
    if not 0 <= start < seconds:
        raise UserError(f"--start {start:g}: the recording lasts {seconds:g} s")
    lines = subject.lines()
    if model is not None:
        predictor = Predictor.load([model])
        (row,) = predictor.answer([predictor.prepare(subject.record)])
        lines.append(f"{model.name}: {answer_line(predictor, row)}")
    title = title or subject.name
    headed: dict[str, Any] = {} if is_page(output) else {"title": title, "lines": lines}
    figure = plot_ecg(shown, start=start, layout=layout, lead=lead, **headed)
    write_sheet(output, figure, title, lines)
    return lines
