"""`ecglfm explain`: the explanation of one answer as a picture, a page or numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecglfm.app.explanation.answers import answer_line
from ecglfm.app.explanation.explanation import Explanation, explain
from ecglfm.app.explanation.page import is_page, write_sheet
from ecglfm.app.explanation.subject import look_at
from ecglfm.app.prediction import FromFiles, Predictor
from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.provenance import write_json

#: What stands below the tables.
NOTES = (
    "Integrated gradients say what this model used, from a flat line to this recording; they do not say that it was "
    "right to, nor that the same holds for another recording.",
    "Share: of the absolute values of all samples. Sum: what they add to the explained number, signs and all. "
    "Occlusion: how much lower that number is when the lead is a flat line, as one that was not recorded is; leads "
    "that know of each other make it small.",
)


def run_explain(
    named: str | Path,
    reader: FromFiles,
    model: Path,
    label: str,
    output: Path,
    *,
    start: float = 0.0,
    layout: str | None = None,
    threads: int = 1,
) -> Explanation:
    """Explain what a model says of a recording.

    Parameters
    ----------
    named : path
        As `ecglfm predict` takes it.
    reader : FromFiles
    model : path
        Folder that `finetune` wrote.
    label : str
    output : path
        `.png`, `.pdf`, `.svg`, `.html`, or `.json` with the attribution of every sample.
    start : float
        Where the sheet begins, s.
    layout : str, optional
        As of `plot_ecg`.
    threads : int
        Of torch.

    Raises
    ------
    UserError
        As `look_at` and `explain`, or there is no such layout or format.
    """
    if output.suffix.lower() not in {".png", ".pdf", ".svg", ".html", ".json"}:
        raise UserError(f"--output {output}: the ending says the format; write one of .png, .pdf, .svg, .html, .json")
    subject = look_at(named, reader)
    predictor = Predictor.load([model], threads=threads)
    prepared = predictor.prepare(subject.record, name=subject.name)
    explanation = explain(predictor.models[0], prepared, label)
    seconds = len(explanation.signal_mv) / explanation.sampling_rate
    if not 0 <= start < seconds:
        raise UserError(f"--start {start:g}: the prepared recording lasts {seconds:g} s")
    (row,) = predictor.answer([prepared])
    if output.suffix.lower() == ".json":
        answer = {key: value for key, value in row.items() if key.endswith(f".{label}")}
        write_json(output, {"record": subject.name, "model": str(model), "answer": answer} | explanation.content())
        return explanation
    title = f"Why {label}: {subject.name}"
    lines = [*subject.lines(), f"{model.name}: {answer_line(predictor, row)}"]
    lines += explanation.lines()
    headed: dict[str, Any] = {"lines": ()} if is_page(output) else {"title": title, "lines": lines}
    sheet = explanation.figure(start=start, layout=layout, **headed)
    write_sheet(output, sheet, title, lines, tables=tables_of(explanation), notes=NOTES)
    return explanation


def tables_of(explanation: Explanation) -> list[dict[str, object]]:
    """Shares by lead and by part of the beat: `title`, `head` and `rows` of each table, as pages show them."""
    leads, phases = explanation.by_lead(), explanation.by_phase()
    found: list[dict[str, object]] = [
        {
            "title": "By lead",
            "head": ["Lead", "Share", "Sum", "Occlusion"],
            "rows": [[name, _percent(one["share"]), f"{one['sum']:+.3f}", f"{one['occlusion']:+.3f}"]
                     for name, one in leads.items()],
        }
    ]  # fmt: skip
    if phases:
        found.append(
            {
                "title": f"By part of the beat ({counted(explanation.beats, 'beat')})",
                "head": ["Part", "Share", "Sum", "Of the time"],
                "rows": [[name, _percent(one["share"]), f"{one['sum']:+.3f}", _percent(one["time"])]
                         for name, one in phases.items()],
            }
        )  # fmt: skip
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
