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

_LISTED = 3  # more sentences of a model than these are a list
AUTHORS = "to be written by the authors"
_OPENING = """# Methods

Every sentence was read off the files of a finished run, which stand below it, and none says more than they do. What
only people can know is left to them: "to be written by the authors".
"""
_CHECKLIST = """## TRIPOD+AI checklist

Items of Collins et al., BMJ 2024;385:e078378 ([10.1136/bmj-2023-078378](https://doi.org/10.1136/bmj-2023-078378)), in
short: the paper's own wording decides. What a run knows stands above and answers an item in part; rationale, setting
and meaning are the authors'.

| Item | What it asks | Where it stands |
|---|---|---|
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
    rows = [_row(item.number, item.asks, [topic for topic in item.topics if said[topic]]) for item in ITEMS]
    everything = [{fit.path for fit in run.fits}, set(run.encoders), set(run.tasks)]
    parts = [
        _part(heading, {topic: said[topic] for topic in topics}, everything) for heading, topics in HEADINGS.items()
    ]
    write_text(output, "\n".join([_OPENING, *parts, _CHECKLIST.rstrip("\n"), *rows]) + "\n")
    return sum(AUTHORS in row for row in rows)


def _part(heading: str, topics: dict[str, list[Said]], everything: Sequence[set[str]]) -> str:
    """A heading, then each topic that the run knows of: its sentences, and the files that they were read off."""
    known = {topic: sentences for topic, sentences in topics.items() if sentences}
    if not known:
        return f"## {heading}\n\n{AUTHORS.capitalize()}: the run says nothing of it.\n"
    parts = [
        ("" if topic == heading else f"### {topic}\n\n")
        + f"{_told(sentences, everything)}\n\n<small>From {_files(sentences)}.</small>\n"
        for topic, sentences in known.items()
    ]
    return "\n".join([f"## {heading}\n", *parts])


def _told(sentences: list[Said], everything: Sequence[set[str]]) -> str:
    """A paragraph, or a list of what is said of which models, encoders or tasks; what is the same of several once."""
    about: dict[str, dict[str, None]] = {}
    for one in sentences:
        about.setdefault(one.text, {})[one.about] = None
    of: dict[tuple[str, ...], list[str]] = {}
    for text, who in about.items():
        of.setdefault(tuple(who), []).append(text)
    own = " ".join(of.pop(("",), []))
    told = [
        f"- {_named(named, everything)}:"
        + "".join(f"\n  - {text}" if len(texts) > _LISTED else f" {text}" for text in texts)
        for named, texts in of.items()
    ]
    return "\n\n".join(filter(None, ["\n".join(told), own]))


def _named(models: tuple[str, ...], everything: Sequence[set[str]]) -> str:
    if len(models) > 1 and set(models) in everything:
        return "All"
    return ", ".join(f"`{model}`" for model in models)


def _row(number: str, asks: str, topics: list[str]) -> str:
    return f"| {number} | {asks} | {'; '.join(topics) or AUTHORS} |"


def _files(sentences: list[Said]) -> str:
    """Files behind some sentences, each once; of several models as one with `{model}` in the place of their names."""
    files = {file.replace(one.about, "{model}") if "/" in one.about else file: None
             for one in sentences for file in one.files}  # fmt: skip
    return ", ".join(f"`{file}`" for file in files)
