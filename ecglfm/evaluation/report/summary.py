"""The summary of the data: one self-contained page of who and what is in the splits, and of what is not, and why.

It holds no time stamp: the same manifest and labels give the same page.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from ecglfm.config import LEADS, UserError
from ecglfm.data.manifest import amplitude_warnings
from ecglfm.data.signals import QUALITY, UNITS
from ecglfm.data.tables import TableReader, sorted_pieces
from ecglfm.evaluation.plots import COLOURS, data_uri, png, style
from ecglfm.evaluation.report.counting import ALL, NONE, Quantiles, Tallies, count_rows, spreads, tallies
from ecglfm.evaluation.report.data_sections import ledger_rows, pieces_if_there, read_if_there, task_section
from ecglfm.evaluation.report.pages import environment, link, report_of
from ecglfm.provenance import code_version, read_json, write_text
from ecglfm.records import LEDGER_COLUMNS, SPLITS
from ecglfm.sources.tables import merge_join

logger = logging.getLogger(__name__)

_AGES = np.arange(0, 101, 5)  # years; the oldest are in the last bin
_PANELS = 4  # sources whose ages are drawn, the largest


def run_summary(results: Path, output: Path, tasks: list[str] | None = None) -> None:
    """Write the summary of a results folder's data.

    Parameters
    ----------
    results : path
        Holds `manifest/`, `labels/` and `index/`.
    output : path
        The HTML file, `manifest/summary.html`.
    tasks : list of str, optional
        Label sets to show, in this order; by default every one that is there.

    Raises
    ------
    UserError
        There is no manifest, or a file cannot be read.
    """
    page = (
        environment()
        .get_template("summary.html.j2")
        .render(gather(results, tasks), home_link=link(output, report_of(results)))
    )
    write_text(output, page)
    logger.info("summary: %s", output)


def gather(results: Path, tasks: list[str] | None = None) -> dict[str, Any]:
    """What the template shows; raises as `run_summary`."""
    folder = results / "manifest"
    records, ledger = pieces_if_there(folder / "records.parquet"), pieces_if_there(folder / "ledger.parquet")
    audit = read_if_there(folder / "audit.json", read_json)
    if records is None or ledger is None or audit is None:
        raise UserError(f"{folder}: records.parquet, ledger.parquet or audit.json is missing; run the stage manifest")
    if tasks is None:
        tasks = sorted(path.stem for path in (results / "labels").glob("*.parquet") if "." not in path.stem)
    kept = tallies(records)
    dropped: Counter[str] = Counter()
    for (source, action), number in count_rows(ledger, ["source", "action"]).items():
        dropped[source] += number * (action == "dropped")
    names = kept.sources()
    raw = {name: kept.records[name, ALL] + dropped[name] for name in sorted({*names, *dropped})}
    raw = {name: number for name, number in raw.items() if number}
    columns = pq.read_schema(folder / "records.parquet").names
    odd = amplitude_warnings(audit.get("amplitude", {}))
    return {
        "code": code_version(),
        "audit": audit,
        "sources": {name: {"raw": raw[name], "kept": kept.of(name)} for name in names},
        "empty": {name: number for name, number in raw.items() if name not in names},
        "total": {"raw": sum(raw.values()), "kept": kept.of(ALL)},
        "people": _people(records, kept),
        "ages": _ages(records),
        "tasks": {task: task_section(results, task) for task in tasks},
        "quality": _quality(records, ledger, names, columns),
        "recorded": _recorded(records, names, columns),
        "ledger": [row for name in raw for row in ledger_rows(_of(ledger, name))],
        "dropped": dropped.total(),
        "warnings": {name: said for name in raw if (said := _warnings(results, name) + odd.get(name, []))},
        "unfilled": audit.get("unfilled", []),
    }


def _of(ledger: TableReader, source: str) -> Iterator[pd.DataFrame]:
    """Rows of a source."""
    return (piece[piece["source"] == source] for piece in ledger(list(LEDGER_COLUMNS)))


def _warnings(results: Path, source: str) -> list[str]:
    """What the source's index warned of, such as files that are in no row of its table."""
    path = results / f"index/{source}.parquet"
    file = read_if_there(path, pq.read_metadata)
    metadata = (file.metadata if file is not None else None) or {}
    return [str(text) for text in json.loads(metadata.get(b"warnings", b"[]"))]


def _people(records: TableReader, kept: Tallies) -> list[dict[str, Any]]:
    """Age and sex of each source, by split; a split without records has no row."""
    ages = spreads(records, ["age"], ["source", "split"], [0.5, 0.25, 0.75])
    sexes = count_rows(records, ["source", "split", "sex"])
    rows = []
    for source, split in itertools.product(kept.sources(), (*SPLITS, NONE)):
        count, age = kept.records[source, split], ages.get((source, split), Quantiles(0, []))
        female, male = sexes[source, split, "female"], sexes[source, split, "male"]
        if not count:
            continue
        rows.append(
            {
                "source": source,
                "split": split,
                "records": count,
                "patients": kept.patients[source, split],
                "age": age.quantiles or None,
                "age_unknown": count - age.known,
                "female": female,
                "male": male,
                "sex_unknown": count - female - male,
            }
        )
    return rows


def _ages(records: TableReader) -> str | None:
    """The picture of all ages, None where none is known."""
    numbers: dict[tuple[str, str], np.ndarray] = {}
    for piece in records(["source", "split", "age"]):
        for (source, split), ages in piece.dropna(subset=["age"]).groupby(["source", "split"], dropna=False)["age"]:
            key = (str(source), str(split))
            numbers[key] = numbers.get(key, 0) + np.histogram(ages.clip(_AGES[0], _AGES[-1]), _AGES)[0]
    return data_uri(png(age_figure(numbers))) if numbers else None


def age_figure(numbers: dict[tuple[str, str], np.ndarray]) -> Figure:
    """Share of each split's records per five years of age, a panel per source (the four largest).

    Parameters
    ----------
    numbers : dict
        By source and split: records per five years of age, from 0 to 100.
    """
    totals: Counter[str] = Counter()
    for (source, _), counts in numbers.items():
        totals[source] += int(counts.sum())
    names = [name for name, _ in totals.most_common(_PANELS)]
    figure = Figure(figsize=(11.2, 2.7), layout="constrained")  # always as wide: letters stay as large
    panels = figure.subplots(1, _PANELS, sharey=True)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, names, strict=False):
        style(axes, title=name, x="age, years", y="% of the split" if name == names[0] else "")
        for split, colour in zip(SPLITS, COLOURS, strict=False):
            if (name, split) in numbers:
                counts = numbers[name, split]
                axes.stairs(100 * counts / counts.sum(), _AGES, color=colour, linewidth=1.4, label=split)
        axes.set_xlim(_AGES[0], _AGES[-1])
        axes.set_ylim(0, None)
    lines = {line.get_label(): line for axes in panels for line in axes.patches}
    shown = [lines[split] for split in SPLITS if split in lines]
    figure.legend(handles=shown, loc="outside upper left", ncols=len(SPLITS), frameon=False, fontsize=8.5)
    return figure


def _quality(
    records: TableReader, ledger: TableReader, names: list[str], columns: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Each measure of each source: its spread and flags over the records kept, and how many were dropped."""
    actions = _preprocessed(records, ledger)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for measure in QUALITY:
        found = spreads(records, [measure], ["source"], [0.5, 0.95, 1.0]) if measure in columns else {}
        title = measure.replace("_", " ") + (f",{UNITS[measure]}" if measure in UNITS else "")
        for name in names:
            spread = found.get((name,), Quantiles(0, []))
            rows[name].append(
                {
                    "title": title,
                    "spread": spread.quantiles or None,
                    "known": spread.known,
                    "flagged": actions[name, measure, "flagged"],
                    "dropped": actions[name, measure, "dropped"],
                }
            )
    return rows


def _preprocessed(records: TableReader, ledger: TableReader) -> Counter[tuple[str, str, str]]:
    """Rows of the ledger of the stage preprocess by source, reason and action; flags only of records that are used."""
    columns = ["record_id", "source", "reason", "action"]
    rows = (piece.loc[piece["stage"] == "preprocess", columns] for piece in ledger([*columns, "stage"]))
    used = (pa.Table.from_pandas(piece, preserve_index=False) for piece in records(["record_id"]))
    actions: Counter[tuple[str, str, str]] = Counter()
    for mine, kept in merge_join([sorted_pieces(rows, "record_id"), used], "record_id"):
        there = pc.is_in(mine["record_id"], kept["record_id"].combine_chunks())
        mine = mine.filter(pc.or_(there, pc.not_equal(mine["action"], "flagged")))
        actions.update(zip(*(mine[name].to_pylist() for name in columns[1:]), strict=True))
    return actions


def _recorded(records: TableReader, names: list[str], columns: list[str]) -> dict[str, dict[str, Any]]:
    """Length, rate and leads of each source's records."""
    seconds = spreads(records, ["n_samples", "sampling_rate"], ["source"], [0.0, 0.5, 1.0])
    rates = count_rows(records, ["source", "sampling_rate"])
    masks = count_rows(records, ["source", "lead_mask"]) if "lead_mask" in columns else Counter()
    leads: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for (name, mask), count in sorted(masks.items(), key=lambda item: (-item[1], item[0][1])):
        there = [lead for bit, lead in enumerate(LEADS) if int(mask) >> bit & 1]
        leads[name].append({"leads": "all 12" if len(there) == len(LEADS) else " ".join(there), "count": count})
    return {
        name: {
            "seconds": seconds[name,].quantiles,
            "rates": sorted({int(rate) for source, rate in rates if source == name}),
            "leads": leads[name],
        }
        for name in names
    }
