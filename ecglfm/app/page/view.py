"""What the page and its PDF say of a recording, of an earlier one of the person, and of the difference."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from ecglfm.app.explanation import NOTES, Explanation, Subject, explain, look_at, svg_of, tables_of
from ecglfm.app.page.form import MAX_FIELD, Form, PageError, on_disk
from ecglfm.app.prediction import FromFiles, Predictor, percents
from ecglfm.config import UserError
from ecglfm.evaluation.plots import literal, plot_ecg

MAX_SECONDS = 300  # of a recording: the page answers while somebody waits
NOTICE = "Research use, not a medical device."
LIKELIEST, NONE = "", "-"  # values of the field `label`
_SIGNALS = (".dat", ".mat")  # files that are no recording by themselves
#: What to do, by what is said of a recording.
_HINTS = {
    ": signal_missing: ": "; choose it together with its header",
    " are shown": "; `ecglfm predict` takes any length",
}
_LINE = 140  # characters of a line above the paper
#: Sets in words, for who never read of conformal prediction.
SETS = {"present": "present", "absent": "absent", "either": "present or absent", "neither": "neither fits",
        "too few": "too few patients"}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """A recording with its answer: `row` of `Predictor.answer`."""

    subject: Subject
    row: dict[str, Any]

    def sheet(self, **options: Any) -> Figure:
        """The recording as its file has it, on paper."""
        return plot_ecg(self.subject.shown, **options)


@dataclass(frozen=True)
class Answer:
    """All that was asked for.

    Attributes
    ----------
    predictor : Predictor
    now : Seen
    before : Seen or None
        An earlier recording.
    explanation : Explanation or None
    unexplained : str
        Why there is none, though it was asked for.
    """

    predictor: Predictor
    now: Seen
    before: Seen | None
    explanation: Explanation | None
    unexplained: str = ""

    @property
    def columns(self) -> dict[str, bool]:
        """Which columns the table has beside the output: `threshold` with `decision`, `set`, and `within`."""
        model = self.predictor.models[0]
        within = any(percents(self.now.row, name) for name in model.label_names)
        return {"threshold": model.link.kind.has_classes, "set": model.conformal is not None, "within": within}

    def rows(self) -> list[dict[str, str]]:
        """A row per label as the page shows it: those that are called first, then the nearest to that."""
        model, now, before = self.predictor.models[0], self.now.row, self.before.row if self.before else None
        kind = model.link.kind
        digits = ".3f" if kind.has_classes else ".4g"
        found = []
        for name in sorted(model.label_names, key=lambda one: -_nearness(self.predictor, now, one)):
            value = now[kind.output_column(name)]
            earlier = before[kind.output_column(name)] if before else None
            difference = None if value is None or earlier is None else value - earlier
            found.append(
                {"label": name, "value": _number(value, digits),
                 "threshold": _number(now.get(f"threshold.{name}"), digits),
                 "decision": _decision(now, name), "set": SETS.get(now.get(f"set.{name}") or "", "–"),
                 "before": _number(earlier, digits), "before_decision": _decision(before, name) if before else "",
                 "difference": _number(difference, digits, sign="+"),
                 "within": ", ".join(percents(now, name)) or "–"}
            )  # fmt: skip
        return found

    def verdict(self) -> str:
        """The answer in a sentence."""
        row = self.now.row
        if row["abstained"]:
            return f"No decision: {_in_words(row['reason'])}"
        if not self.columns["threshold"]:
            return ""
        called = [one["label"] for one in self.rows() if one["decision"] == "yes"]
        return f"Above the threshold: {', '.join(called)}" if called else "No label is above its threshold"

    def notes(self) -> list[str]:
        """What a reader must know beside the numbers."""
        notes = []
        for seen in filter(None, (self.now, self.before)):
            if seen.row["flags"]:
                notes.append(f"Doubtful about {seen.subject.name}: {_in_words(seen.row['flags'])}.")
        if self.before is not None and self.before.row["abstained"]:
            notes.append(f"No decision on the earlier recording: {_in_words(self.before.row['reason'])}.")
        if self.before is not None and len({_patient(self.now), _patient(self.before)} - {""}) > 1:
            notes.append("The two files name different patients.")
        return notes

    def shown(self) -> dict[str, Any]:
        """Values of the template."""
        found, sets = self.explanation, self.predictor.models[0].conformal
        kind = self.predictor.models[0].link.kind
        return {
            "now": self.now, "before": self.before, "rows": self.rows(), "columns": self.columns,
            "output": "log hazard ratio" if kind.time else kind.output,
            "verdict": self.verdict(), "notes": self.notes(),
            "coverage": None if sets is None else sets.coverage,
            "sheet": _uri(self.now.sheet()), "sheet_before": _uri(self.before.sheet()) if self.before else None,
            "explained": None if found is None else found.label, "unexplained": self.unexplained,
            "why": None if found is None else _uri(found.figure(lines=())),
            "why_lines": [] if found is None else found.lines(),
            "why_tables": [] if found is None else tables_of(found), "why_notes": NOTES,
        }  # fmt: skip

    def pdf(self, model: str) -> bytes:
        """The same on paper that is to scale: a sheet each for the recording, the earlier one, and the explanation."""
        said = [", ".join(_said(one)) for one in self.rows()]
        lines = [
            f"{model}: {self.verdict() or 'no thresholds'}",
            *textwrap.wrap(";  ".join(said), _LINE),
            *self.notes(),
        ]
        head = {"title": self.now.subject.name, "note": NOTICE}
        sheets = [self.now.sheet(lines=[*self.now.subject.lines(), *lines], **head)]
        if self.before is not None:
            title = f"Earlier: {self.before.subject.name}"
            sheets.append(self.before.sheet(lines=self.before.subject.lines(), title=title, note=NOTICE))
        if self.explanation is not None:
            title = f"Why {self.explanation.label}: {self.now.subject.name}"
            sheets.append(self.explanation.figure(title=title, lines=[*self.explanation.lines(), NOTICE]))
        buffer = io.BytesIO()
        with PdfPages(buffer, metadata={"CreationDate": None}) as pages:
            for figure in sheets:
                literal(figure).savefig(pages, format="pdf", backend="pdf")
        return buffer.getvalue()


def answer(predictor: Predictor, form: Form) -> Answer:
    """Look at the recordings of a form and ask the model; raises `PageError`."""
    if not form.files["now"]:
        raise PageError("No recording was chosen; choose its file, or its files together.")
    subject = _look(form.files["now"], form.fields.get("now_exam", ""))
    before = _look(form.files["before"], form.fields.get("before_exam", "")) if form.files["before"] else None
    prepared = [predictor.prepare(one.record, name=one.name) for one in (subject, before) if one is not None]
    row, *rows = predictor.answer(prepared)
    earlier = Seen(before, rows[0]) if before is not None else None
    label = form.fields.get("label", LIKELIEST)
    explanation, why_not = None, ""
    if label != NONE:
        model = predictor.models[0]
        if label and label not in model.label_names:
            raise PageError(f"The model has no label {label[:80]}.")
        label = label or max(model.label_names, key=lambda name: _nearness(predictor, row, name))
        try:
            explanation = explain(model, prepared[0], label)
        except UserError as error:
            why_not = str(error)
    return Answer(predictor, Seen(subject, row), earlier, explanation, why_not)


def _look(files: Mapping[str, bytes], exam: str) -> Subject:
    """The one recording of some files."""
    if all(name.lower().endswith(_SIGNALS) for name in files):
        name = next(iter(files))
        raise PageError(f"{name} came without its header; choose the .hea file together with it.")
    with on_disk(files) as folder:
        reader = FromFiles()
        try:
            names = [one.name for one in reader.find([folder])]
            return look_at(_one_of(names, exam), reader, longest=MAX_SECONDS)
        except UserError as error:
            said = str(error).replace(f"{folder}/", "").replace(str(folder), "The files")
            more = next((hint for word, hint in _HINTS.items() if word in said), "")
            raise PageError(f"{said[:MAX_FIELD]}{more}.") from None


def _one_of(names: Sequence[str], exam: str) -> str:
    if exam:
        names = [name for name in names if name.rpartition("#")[2] == exam.strip()]
        if not names:
            raise PageError(f"There is no exam {exam[:40]} among the files.")
    if len(names) > 1:
        first = names[0].rpartition("#")
        how = f"write the number of one, such as {first[2]}, into the field" if first[1] else "choose the files of one"
        raise PageError(f"{len(names)} recordings; {how}.")
    return names[0]


def _nearness(predictor: Predictor, row: Mapping[str, Any], name: str) -> float:
    """How far above its threshold a label is; labels of a task without thresholds keep their order."""
    kind = predictor.models[0].link.kind
    value = row[kind.output_column(name)]
    return 0.0 if value is None or not kind.has_classes else value - row[f"threshold.{name}"]


def _number(value: float | None, digits: str, *, sign: str = "") -> str:
    """With a true minus, and none before zero."""
    return "–" if value is None else format(value, f"{sign}z{digits}").replace("-", "−")


def _decision(row: Mapping[str, Any], name: str) -> str:
    return {None: "–", True: "yes", False: "no"}[row.get(f"decision.{name}")]


def _said(row: Mapping[str, str]) -> list[str]:
    """A label's row for the PDF."""
    parts = [f"{row['label']} {row['value']}"]
    if row["threshold"] != "–":
        parts.append(f"{row['decision']} (from {row['threshold']})")
    parts += [row[key] for key in ("set", "within") if row[key] != "–"]
    if row["before"] != "–":
        parts.append(f"earlier {row['before']}")
    return parts


def _in_words(reason: str) -> str:
    """Words of the ledger as a person writes them."""
    return reason.replace("_", " ").replace(",", ", ")


def _patient(seen: Seen) -> str:
    first = seen.subject.patient.partition(",")[0]
    return first if first.startswith("patient ") and first != "patient not stated" else ""


def _uri(figure: Figure) -> str:
    """A picture for an `img`, in which nothing can run and no style is taken from the page."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg_of(figure).encode()).decode()}"
