"""A map of an encoder's vectors: UMAP (McInnes, Healy and Melville 2018, arXiv:1802.03426), coloured by what is known.

What the encoder tells apart lies apart: labels, and also a database or a device. Near points are alike; how far groups
are from each other, and how large they are, means little.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.evaluation.metrics import group_names
from ecglfm.evaluation.plots import COLOURS, GREY, INK, save_png
from ecglfm.extras import need
from ecglfm.provenance import write_json, write_parquet

logger = logging.getLogger(__name__)

#: Records that are shown unless more are wanted: seconds, and a map that can be read.
RECORDS = 3000
_NEIGHBOURS = 15
_NAMED = 6  # values of a variable with a colour of their own, the most frequent
_TASKS = 3
_OTHER = "others"


def run_embedding_map(
    results: Path,
    encoders: Sequence[str],
    tasks: Sequence[str],
    output: Path,
    *,
    records: int = RECORDS,
    seed: int = 0,
) -> None:
    """Write `umap.json`, and `{encoder}.parquet` and `{encoder}.png` of each encoder.

    Parameters
    ----------
    results : path
        Folder with `embed/`, `manifest/`, `labels/` and `index/`.
    encoders, tasks : sequence of str
        What is shown; of tasks with labels the first three.
    output : path
        Folder to write into.
    records : int
        At most so many, drawn blindly by their name.
    seed : int
        Of UMAP, which runs on one thread so that it gives the same map.

    Raises
    ------
    UserError
        umap-learn is not installed, a file is missing, or there are too few records for a map.
    """
    need("umap", extra="umap", what="umap")
    about = describe(results, tasks)
    for encoder in encoders:
        vectors = _vectors(results, encoder, set(about["record_id"]), records)
        if len(vectors) <= _NEIGHBOURS:
            raise UserError(
                f"umap: {encoder} has vectors of {counted(len(vectors), 'record')}; a map needs more than {_NEIGHBOURS}"
            )
        x, y = embed(vectors.drop(columns="record").to_numpy(np.float32), seed).T
        table = pd.DataFrame({"record_id": vectors["record"], "x": x, "y": y}).merge(about, on="record_id")
        write_parquet(output / f"{encoder}.parquet", table)
        save_png(map_figure(table), output / f"{encoder}.png")
        logger.info("umap: %s, %d records", encoder, len(table))
    write_json(output / "umap.json", {"encoders": list(encoders), "seed": seed, "records": records})


def _vectors(results: Path, encoder: str, known: set[str], most: int) -> pd.DataFrame:
    """Vectors of the records of the manifest, or of as many of them as are wanted."""
    every = sorted((results / "embed" / encoder).glob("[!.]*.parquet"))  # a killed job leaves `.a.123.tmp.parquet`
    files = [path for path in every if not path.name.endswith(".windows.parquet")]
    if not files:
        raise UserError(f"{results}/embed/{encoder}: no vectors; `snakemake embed_all` makes them")
    names = pd.concat([pd.read_parquet(path, columns=["record"]) for path in files])["record"]
    chosen = sorted(filter(known.__contains__, names), key=_blind)[:most]
    read = [pd.read_parquet(path, filters=[("record", "in", chosen)]) for path in files]
    table = pd.concat([one for one in read if len(one)], ignore_index=True).drop(columns="patient_id")
    return table.sort_values("record", ignore_index=True)


def _blind(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def embed(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Places on the map.

    Parameters
    ----------
    vectors : ndarray of float32, shape (records, dim)
    seed : int

    Returns
    -------
    ndarray of float32, shape (records, 2)
    """
    from umap import UMAP  # compiles for ten seconds and more

    reducer = UMAP(n_neighbors=_NEIGHBOURS, metric="cosine", init="pca", random_state=seed, n_jobs=1)
    found: np.ndarray = reducer.fit_transform(vectors)
    return found


def describe(results: Path, tasks: Sequence[str]) -> pd.DataFrame:
    """What is known of each record of the manifest: a column per task with labels, source, device and age.

    Parameters
    ----------
    results : path
    tasks : sequence of str
        Of a record with several labels the rarest counts, with none of them `none`.
    """
    records = pd.read_parquet(results / "manifest/records.parquet", columns=["record_id", "source", "age"])
    index = [results / f"index/{source}.parquet" for source in sorted(records["source"].unique())]
    groups = group_names(records, [path for path in index if path.exists()])
    about = records[["record_id"]].copy()
    for task in tasks:
        labels = pd.read_parquet(results / f"labels/{task}.parquet")
        columns = [str(column) for column in labels if str(column).startswith("label.")]
        classes = labels[columns].isin([0, 1]) | labels[columns].isna()  # a number, such as an age, is none
        if columns and classes.all(axis=None) and sum(column in about for column in tasks) < _TASKS:
            about = about.merge(
                _one_label(labels, columns).rename(task), left_on="record_id", right_index=True, how="left"
            )
            about[task] = about[task].astype(object).where(about[task].notna(), "not in this label set")
    for name in ("source", "device"):
        if name in groups and groups[name].nunique() > 1:
            about[name] = groups[name].to_numpy()
    return about.assign(age=records["age"].to_numpy(np.float64))


def _one_label(labels: pd.DataFrame, columns: list[str]) -> pd.Series:
    """The rarest label that a record has."""
    rarest = labels[columns].sum().sort_values(kind="stable").index
    table = labels.set_index("record_id")[rarest] == 1
    names = np.array([str(column).partition(".")[2] for column in rarest])
    return pd.Series(np.where(table.any(axis=1), names[table.to_numpy().argmax(axis=1)], "none"), table.index)


def map_figure(table: pd.DataFrame) -> Figure:
    """A panel for each variable of a map.

    Parameters
    ----------
    table : DataFrame
        `record_id`, `x`, `y` and a column per variable; `age` in years.
    """
    variables = [str(column) for column in table if column not in {"record_id", "x", "y"}]
    variables = [name for name in variables if table[name].notna().any()]
    columns = min(3, len(variables))
    rows = -(-len(variables) // columns)
    figure = Figure(figsize=(3.6 * columns, 3.5 * rows), layout="constrained")
    for place, name in enumerate(variables):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.set_title(name, size=9.5, color=INK, loc="left", weight="bold")
        axes.set(xticks=[], yticks=[])
        for side in axes.spines.values():
            side.set_color("#dfe2e6")
        if name == "age":
            _by_number(figure, axes, table)
        else:
            _by_name(axes, table, table[name])
    return figure


def _by_number(figure: Figure, axes: Axes, table: pd.DataFrame) -> None:
    known = table["age"].notna()
    axes.scatter(table["x"][~known], table["y"][~known], s=4, color="#d5d8dc", linewidths=0)
    points = axes.scatter(
        table["x"][known], table["y"][known], c=table["age"][known], s=5, cmap="viridis", linewidths=0, vmin=0, vmax=100
    )
    bar = figure.colorbar(points, ax=axes, shrink=0.6, pad=0.01)
    bar.ax.tick_params(labelsize=7.5, colors=GREY)
    bar.outline.set_visible(False)


def _by_name(axes: Axes, table: pd.DataFrame, values: pd.Series) -> None:
    counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    plain = [name for name in counts.index if name in {"none", "unknown", "not in this label set"}]
    named = [name for name in counts.index if name not in plain]
    groups = [*[(name, [name]) for name in plain], *([(_OTHER, named[_NAMED:])] if named[_NAMED:] else [])]
    greys = ("#d5d8dc", "#b3b8bf", "#94999f", "#7d8289")
    shown = [(name, which, greys[i]) for i, (name, which) in enumerate(groups)]
    shown += [(name, [name], COLOURS[i % len(COLOURS)]) for i, name in enumerate(named[:_NAMED])]
    for name, which, colour in shown:  # the rare ones last, so that they lie above
        part = table[values.isin(which)]
        axes.scatter(part["x"], part["y"], s=5, color=colour, linewidths=0, label=f"{name} ({len(part)})")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.0), ncols=2, fontsize=7, frameon=False, labelcolor=GREY,
                handletextpad=0.1, columnspacing=0.8, markerscale=2)  # fmt: skip
