"""Writes `methods.md`: paragraphs of what a run says of itself, and the checklist that they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from ecglfm.evaluation.methods import data_paragraphs as data
from ecglfm.evaluation.methods import model_paragraphs as models
from ecglfm.evaluation.methods.checklist import ITEMS
from ecglfm.evaluation.methods.run import Run, Said, find_run
from ecglfm.evaluation.report import FittedModel
from ecglfm.provenance import write_text

AUTHORS = "to be written by the authors"
_OPENING = """# Methods

Every sentence was read off the files of a finished run, which stand below it, and none says more than they do. What
only people can know is left to them: "to be written by the authors".
"""
_CHECKLIST = """## TRIPOD+AI checklist

Items of Collins et al., BMJ 2024;385:e078378 ([10.1136/bmj-2023-078378](https://doi.org/10.1136/bmj-2023-078378)), in
short: the paper's own wording decides. What a run knows answers an item in part; rationale, setting and meaning are the
authors'.

| Item | What it asks | From this run | File |
|---|---|---|---|
"""
Sentences = Callable[[Run], Iterable[Said]]


def _of_each_fit(what: Callable[[Run, FittedModel], Iterable[Said]], run: Run) -> Iterator[Said]:
    for fit in run.fits:
        yield from what(run, fit)


def _of_each_encoder(what: Callable[[Run, str], Iterable[Said]], run: Run) -> Iterator[Said]:
    for name in run.encoders:
        yield from what(run, name)


def _outcomes(run: Run) -> Iterator[Said]:
    for name in run.tasks:
        yield from data.outcome(run, name)


def _intended(run: Run) -> Iterator[Said]:
    if run.card and run.card.card.intended_use:
        yield Said(run.card.card.intended_use, (data.CARD,))
    if run.card and run.card.card.out_of_scope:
        yield Said(f"Not for: {run.card.card.out_of_scope}", (data.CARD,))


#: What is written about; the checklist's items name these.
TOPICS: dict[str, Sentences] = {
    "Intended use": _intended,
    "Data sources": data.sources,
    "Licences": data.licences,
    "Splits": data.splits,
    "Records by split": data.counts,
    "Leakage": data.leakage,
    "Omitted records": data.omitted,
    "Preprocessing": data.preparation,
    "Labels": _outcomes,
    "Encoder": partial(_of_each_encoder, models.encoder),
    "Pretraining": partial(_of_each_encoder, models.pretraining),
    "Fine-tuning": partial(_of_each_fit, models.finetuning),
    "Class imbalance": partial(_of_each_fit, models.imbalance),
    "Records of each model": partial(_of_each_fit, models.fitted),
    "Thresholds": partial(_of_each_fit, models.decisions),
    "Evaluation": partial(_of_each_fit, models.measurement),
    "Positives": partial(_of_each_fit, models.counts),
    "Results": partial(_of_each_fit, models.results),
    "Subgroups": partial(_of_each_fit, models.subgroups),
    "External validation": partial(_of_each_fit, models.elsewhere),
    "Software": models.software,
}
#: Where each topic stands: a heading may gather several.
HEADINGS: dict[str, tuple[str, ...]] = {
    "Intended use": ("Intended use",),
    "Data": ("Data sources", "Licences"),
    "Splits": ("Splits", "Records by split", "Leakage"),
    "Preparation": ("Preprocessing", "Omitted records"),
    "Outcome": ("Labels",),
    "Encoder and pretraining": ("Encoder", "Pretraining"),
    "Fine-tuning": ("Fine-tuning", "Class imbalance", "Records of each model"),
    "Thresholds": ("Thresholds",),
    "Evaluation": ("Evaluation", "Positives"),
    "Results": ("Results", "Subgroups", "External validation"),
    "Software": ("Software",),
}


def write_methods(
    results: Path,
    output: Path,
    *,
    encoders: Sequence[str] = (),
    tasks: Sequence[str] = (),
    fits: Sequence[str] = (),
) -> int:
    """Write the methods section of a finished run; the same results give the same text.

    Parameters
    ----------
    results : path
        Folder of every output.
    output : path
        The Markdown file.
    encoders, tasks, fits : sequence of str
        Models that are written about; empty: all that were evaluated.

    Returns
    -------
    int
        Items of the checklist that are left to the authors alone.

    Raises
    ------
    UserError
        No such model was evaluated, or a file cannot be read.
    """
    run = find_run(results, encoders=encoders, tasks=tasks, fits=fits)
    said = {topic: list(sentences(run)) for topic, sentences in TOPICS.items()}
    rows = [_row(item.number, item.asks, [one for topic in item.topics for one in said[topic]]) for item in ITEMS]
    parts = [_part(heading, [said[topic] for topic in topics]) for heading, topics in HEADINGS.items()]
    write_text(output, "\n".join([_OPENING, *parts, _CHECKLIST.rstrip("\n"), *rows]) + "\n")
    return sum(AUTHORS in row for row in rows)


def _part(heading: str, topics: list[list[Said]]) -> str:
    """A heading, a paragraph per topic that the run knows of, and the files that they were read off."""
    known = [sentences for sentences in topics if sentences]
    if not known:
        return f"## {heading}\n\n{AUTHORS.capitalize()}: the run says nothing of it.\n"
    paragraphs = "\n\n".join(" ".join(one.text for one in sentences) for sentences in known)
    return f"## {heading}\n\n{paragraphs}\n\n<small>From {_files([one for part in known for one in part])}.</small>\n"


def _row(number: str, asks: str, sentences: list[Said]) -> str:
    if not sentences:
        return f"| {number} | {asks} | {AUTHORS} | |"
    text = " ".join(one.text for one in sentences).replace("|", "\\|").replace("\n", " ")
    return f"| {number} | {asks} | {text} | {_files(sentences)} |"


def _files(sentences: list[Said]) -> str:
    """Files behind some sentences, each once, in the order in which they are first needed."""
    return ", ".join(f"`{file}`" for file in dict.fromkeys(file for one in sentences for file in one.files))
