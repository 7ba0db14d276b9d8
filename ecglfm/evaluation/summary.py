"""The summary of the data: one self-contained page of who and what is in the splits, and of what is not, and why.

It holds no time stamp: the same manifest and labels give the same page.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from ecglfm.config import LEADS, UserError
from ecglfm.data.preprocess import QUALITY
from ecglfm.data.quality import UNITS
from ecglfm.evaluation.pages import environment
from ecglfm.evaluation.plots import COLOURS, data_uri, png, style
from ecglfm.evaluation.sections import ledger_rows, read_if_there, tally, task_section
from ecglfm.provenance import code_version, read_json, write_text
from ecglfm.records import SPLITS

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
    page = environment().get_template("summary.html.j2").render(gather(results, tasks))
    write_text(output, page)
    logger.info("summary: %s", output)


def gather(results: Path, tasks: list[str] | None = None) -> dict[str, Any]:
    """What the template shows; raises as `run_summary`."""
    folder = results / "manifest"
    records = read_if_there(folder / "records.parquet", pd.read_parquet)
    ledger = read_if_there(folder / "ledger.parquet", pd.read_parquet)
    audit = read_if_there(folder / "audit.json", read_json)
    if records is None or ledger is None or audit is None:
        raise UserError(f"{folder}: records.parquet, ledger.parquet or audit.json is missing; run the stage manifest")
    names = sorted(records["source"].unique().tolist())
    if tasks is None:
        tasks = sorted(path.stem for path in (results / "labels").glob("*.parquet") if "." not in path.stem)
    dropped = ledger[ledger["action"] == "dropped"]
    raw = records["source"].value_counts().add(dropped["source"].value_counts(), fill_value=0).astype(int)
    return {
        "code": code_version(),
        "audit": audit,
        "sources": {name: {"raw": int(raw[name]), "kept": tally(records[records["source"] == name])} for name in names},
        "empty": {name: int(raw[name]) for name in sorted(set(raw.index) - set(names))},
        "total": {"raw": int(raw.sum()), "kept": tally(records)},
        "people": [row for name in names for row in _people(records[records["source"] == name], name)],
        "ages": data_uri(png(age_figure(records))) if records["age"].notna().any() else None,
        "tasks": {task: _labels(results, task) for task in tasks},
        "quality": {name: _quality(records[records["source"] == name], ledger, name) for name in names},
        "recorded": {name: _recorded(records[records["source"] == name]) for name in names},
        "ledger": [row for name in sorted(raw.index) for row in ledger_rows(ledger[ledger["source"] == name])],
        "dropped": len(dropped),
        "warnings": {name: said for name in sorted(raw.index) if (said := _warnings(results, name))},
        "unfilled": [split for split in SPLITS if not (records["split"] == split).any()],
    }


def _warnings(results: Path, source: str) -> list[str]:
    """What the source's index warned of, such as files that are in no row of its table."""
    path = results / f"index/{source}.parquet"
    file = read_if_there(path, pq.read_metadata)
    metadata = (file.metadata if file is not None else None) or {}
    return [str(text) for text in json.loads(metadata.get(b"warnings", b"[]"))]


def _people(records: pd.DataFrame, source: str) -> list[dict[str, Any]]:
    """Age and sex of a source, by split; a split without records has no row."""
    rows = []
    for split in (*SPLITS, None):
        part = records[records["split"].isna() if split is None else records["split"] == split]
        if not len(part):
            continue
        age, sex = part["age"].dropna(), part["sex"].value_counts()
        rows.append(
            {
                "source": source,
                "split": split or "none",
                "records": len(part),
                "patients": int(part["patient_id"].nunique()),
                "age": [float(q) for q in age.quantile([0.5, 0.25, 0.75])] if len(age) else None,
                "age_unknown": len(part) - len(age),
                "female": int(sex.get("female", 0)),
                "male": int(sex.get("male", 0)),
                "sex_unknown": len(part) - int(sex.get("female", 0)) - int(sex.get("male", 0)),
            }
        )
    return rows


def age_figure(records: pd.DataFrame) -> Figure:
    """Share of each split's records per five years of age, a panel per source (the four largest)."""
    names = records.dropna(subset=["age"])["source"].value_counts().index[:_PANELS].tolist()
    figure = Figure(figsize=(11.2, 2.4), layout="constrained")  # always as wide: letters stay as large
    panels = figure.subplots(1, _PANELS, sharey=True)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, names, strict=False):
        style(axes, title=name, x="age, years", y="% of the split" if name == names[0] else "")
        for split, colour in zip(SPLITS, COLOURS, strict=False):
            mine = (records["source"] == name) & (records["split"] == split)
            ages = records.loc[mine, "age"].dropna().clip(_AGES[0], _AGES[-1])
            if len(ages):
                share = 100 * np.histogram(ages, _AGES)[0] / len(ages)
                axes.stairs(share, _AGES, color=colour, linewidth=1.4, label=split)
        axes.set_xlim(_AGES[0], _AGES[-1])
        axes.set_ylim(0, None)
    figure.axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def _labels(results: Path, task: str) -> dict[str, Any] | None:
    """A label set by split, as in the report, and by source."""
    section = task_section(results, task)
    if section is None:
        return None
    table = pd.read_parquet(results / f"labels/{task}.parquet")
    for label in section["labels"]:
        values = table[f"label.{label['name']}"]
        label["sources"] = {
            name: {"positives": int(values[rows].sum()), "known": int(values[rows].notna().sum())}
            for name in section["sources"]
            for rows in [table["source"] == name]
        }
    return section


def _quality(records: pd.DataFrame, ledger: pd.DataFrame, source: str) -> list[dict[str, Any]]:
    """Each measure of a source: its spread and flags over the records that were kept, and how many were dropped."""
    mine = ledger[(ledger["source"] == source) & (ledger["stage"] == "preprocess")]
    mine = mine[(mine["action"] != "flagged") | mine["record_id"].isin(records["record_id"])]  # used ones
    actions = mine.groupby(["reason", "action"]).size()
    rows = []
    for name in QUALITY:
        values = records[name].dropna() if name in records else pd.Series(dtype="float64")
        flagged, dropped = (int(actions.get((name, action), 0)) for action in ("flagged", "dropped"))
        spread = [float(q) for q in values.quantile([0.5, 0.95, 1.0])] if len(values) else None
        title = name.replace("_", " ") + (f",{UNITS[name]}" if name in UNITS else "")
        rows.append({"title": title, "spread": spread, "known": len(values), "flagged": flagged, "dropped": dropped})
    return rows


def _recorded(records: pd.DataFrame) -> dict[str, Any]:
    """Length, rate and leads of a source's records."""
    seconds = records["n_samples"] / records["sampling_rate"]
    masks = records["lead_mask"].value_counts() if "lead_mask" in records else pd.Series(dtype="int64")
    leads = []
    pairs = zip(masks.index.astype(int).tolist(), masks.tolist(), strict=True)
    for mask, count in sorted(pairs, key=lambda pair: (-pair[1], pair[0])):
        names = [lead for bit, lead in enumerate(LEADS) if mask >> bit & 1]
        leads.append({"leads": "all 12" if len(names) == len(LEADS) else " ".join(names), "count": count})
    return {
        "seconds": [float(q) for q in seconds.quantile([0.0, 0.5, 1.0])],
        "rates": sorted({int(rate) for rate in records["sampling_rate"].unique()}),
        "leads": leads,
    }
