"""Test records that a model got right and wrong, with what in them spoke for its answer.

A page of successes would flatter the model: of each label one hit, one false alarm and one miss are shown, drawn
blindly by their name, so that the answer is the same at every run. One that cannot be explained is named, and the next
takes its place. The card makes them, since it has the model at hand; the report shows them.

Shapes: n samples, l leads.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d

from ecglfm.config import UserError
from ecglfm.data.signals import shown_mv
from ecglfm.evaluation.plots import GREY, INK, data_uri, highlight, save_png
from ecglfm.evaluation.report.beat_sections import Explainable
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.provenance import read_json, write_json

logger = logging.getLogger(__name__)

_SECONDS = 10.0  # of a record that are shown, from its beginning
_TRIED = 3  # records of a group, until one can be explained
_LEADS = 2  # of a record, those with the largest share of its attribution
_SMOOTH = 0.02  # s
_GROUPS = {"True positives": "Hit", "False positives": "False alarm", "Misses": "Miss"}
_PAPER = "#f0c9c2"


@dataclass(frozen=True)
class Example:
    """One record and what of it speaks for a label.

    Attributes
    ----------
    title : str
        What it is an example of, its name, probability and threshold.
    signal_mv, values : ndarray of float64, shape (n, l)
        At the model's rate, and what each sample adds to the label's score.
    """

    title: str
    signal_mv: np.ndarray
    values: np.ndarray

    def strongest(self) -> np.ndarray:
        """Places of the leads with most attribution, in the order of the recording."""
        shares = np.abs(self.values).sum(axis=0)
        return np.sort(np.argsort(-shares, kind="stable")[:_LEADS])


def write_examples(found: Explainable | str, folder: Path) -> None:
    """Write `examples.json` and a picture for each of the labels with most positive test records.

    Parameters
    ----------
    found : Explainable or str
        Of `explainable`; a sentence is why there are none.
    folder : path
        Is made; pictures of another run in it are taken away.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    if isinstance(found, str):
        write_json(folder / "examples.json", {"reason": found})
        return
    labels: list[dict[str, Any]] = []
    try:
        for number, name in enumerate(found.labels):
            examples, passed_over = _examples(found, name)
            file = f"{number}.png"
            if examples:
                sheet = draw_examples(examples, found.model.encoder.leads, found.model.encoder.sampling_rate)
                save_png(sheet, folder / file, dpi=110)
            shown = {"name": name, "picture": file if examples else None, "records": len(examples)}
            labels.append(shown | {"passed_over": passed_over})
    except (UserError, OSError) as error:
        logger.warning("%s: no examples: %s", found.folder, error)
        write_json(folder / "examples.json", {"reason": f"They could not be made: {error}"})
        return
    write_json(folder / "examples.json", {"labels": labels, "left_out": found.left_out})


def _examples(of_model: Explainable, label: str) -> tuple[list[Example], list[str]]:
    """One record of each group that has some; and those that were drawn and could not be explained."""
    from ecglfm.evaluation.attribution import attribute, choose_records

    model = of_model.model
    rows = of_model.test.set_index("record_id")
    found, passed_over = [], []
    for group, (names, of) in choose_records(of_model.test, label, _TRIED).items():
        for name in names:
            signal_uv, place = of_model.read(name), model.label_names.index(label)
            try:
                # as of a mean beat, more may be missing than where somebody asks of one recording
                found_in = attribute(model, signal_uv, place, occlude=False, tolerance=0.05, seconds=_SECONDS)
            except UserError as error:
                logger.warning("%s: not among the examples: %s", name, error)
                passed_over.append(f"{_GROUPS[group]} {name}")
                continue
            said, limit = (rows[f"{what}.{label}"][name] for what in ("probability", "threshold"))
            title = f"{_GROUPS[group]} (1 of {of}): {name}, {called(float(said), float(limit))}"
            shown = shown_mv(signal_uv, model.encoder)[: len(found_in.values)]
            found.append(Example(title, shown, found_in.values))
            break
    return found, passed_over


def called(probability: float, threshold: float) -> str:
    """Both numbers with two digits, or with as many as tell them apart, up to four."""
    apart = (digits for digits in (2, 3) if f"{probability:.{digits}f}" != f"{threshold:.{digits}f}")
    digits = next(apart, 4) if probability != threshold else 2
    return f"probability {probability:.{digits}f}, called from {threshold:.{digits}f}"


def draw_examples(examples: Sequence[Example], leads: Sequence[str], fs: float) -> Figure:
    """The two strongest leads of each record on paper, all to one scale; orange adds to the label, blue takes away.

    Parameters
    ----------
    examples : sequence of Example
    leads : sequence of str
        Columns of their signals.
    fs : float
        Hz.
    """
    shown = [
        [(leads[k], one.signal_mv[:, k] - np.median(one.signal_mv[:, k]), one.values[:, k]) for k in one.strongest()]
        for one in examples
    ]
    traces = [trace for rows in shown for _, trace, _ in rows]
    low = min(-0.5, *(float(np.percentile(trace, 0.1)) for trace in traces)) - 0.1
    high = max(1.0, *(float(np.percentile(trace, 99.9)) for trace in traces)) + 0.1
    title, strip = 0.27, 0.62  # inches
    height = sum(title + strip * len(rows) for rows in shown)
    figure = Figure(figsize=(11.0, height), facecolor="white")
    top = height
    for one, rows in zip(examples, shown, strict=True):
        figure.text(0.003, (top - 0.06) / height, one.title, size=10.5, weight="bold", color=INK, va="top")
        top -= title
        full = float(np.percentile(np.abs(gaussian_filter1d(one.values, _SMOOTH * fs, axis=0)), 99.0)) or 1.0
        for lead, trace, values in rows:
            top -= strip
            axes = figure.add_axes((0.04, top / height, 0.957, strip / height), frame_on=False, xticks=[], yticks=[])
            _paper(axes, low, high)
            at = np.arange(len(trace)) / fs
            shade = gaussian_filter1d(values, _SMOOTH * fs) / full
            stroke = highlight(at, trace, shade, fs)
            stroke.set_linewidth(4.5)  # strips are lower than a sheet
            axes.add_collection(stroke, autolim=False)
            axes.plot(at, trace, color=INK, linewidth=0.8, zorder=3)
            axes.text(-0.08, 0.0, lead, size=10, color=GREY, ha="right", va="center", weight="bold")
    return figure


def _paper(axes: Axes, low: float, high: float) -> None:
    """Lines each 0.2 s and 0.5 mV."""
    axes.set_xlim(0.0, _SECONDS)
    axes.set_ylim(low, high)
    axes.vlines(np.arange(0.0, _SECONDS + 0.1, 0.2), low, high, color=_PAPER, linewidth=0.5, zorder=1)
    axes.hlines(np.arange(np.ceil(2 * low) / 2, high, 0.5), 0.0, _SECONDS, color=_PAPER, linewidth=0.5, zorder=1)


def read_examples(folder: Path) -> dict[str, Any] | None:
    """What `write_examples` wrote, pictures as data URIs; None where it did not.

    Raises
    ------
    UserError
        A file cannot be read.
    """
    found = read_if_there(folder / "examples.json", read_json)
    for label in (found or {}).get("labels", []):
        content = None if label["picture"] is None else read_if_there(folder / label["picture"], Path.read_bytes)
        label["picture"] = None if content is None else data_uri(content)
    return found
