"""`snakemake serial`: reliability of every score and of the embedding's dimensions, by time between recordings.

Recordings are those of the test split: neither encoder nor model has seen the person. A probability is looked at as its
logit, since most lie near 0; a number and a risk as they are. "all" are all recordings of people with several; in a bin
of time everybody counts once, with one pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import SerialSlice, UserError
from ecglfm.config.kinds import KINDS
from ecglfm.config.wording import counted
from ecglfm.evaluation.metrics import how_resampled, log_odds
from ecglfm.evaluation.plots import save_png
from ecglfm.evaluation.serial.figure import serial_figure
from ecglfm.evaluation.serial.pairs import bin_names, pairs_by_gap, recording_days
from ecglfm.evaluation.serial.reliability import Reliability, reliability
from ecglfm.provenance import read_json, write_json, write_text

ALL = "all"
_COLUMNS = ["encoder", "task", "fit", "value", "time", "patients", "recordings", "icc", "ci_low", "ci_high", "within"]


class _Values(NamedTuple):
    """Values of recordings: the scores of a model, or the dimensions of an embedding."""

    encoder: str
    task: str | None
    fit: str | None
    table: pd.DataFrame  # by record_id: patient_id, then a column per value
    names: list[str]


def run_serial(
    config: SerialSlice, results: Path, *, include: Sequence[str], encoders: Sequence[str], output: Path
) -> dict[str, Any]:
    """Write `serial.json`, `serial.csv` and `serial.png`.

    Parameters
    ----------
    config : SerialSlice
    results : path
        Folder with `index/`, `manifest/`, `evaluate/` and `embed/`.
    include : sequence of str
        `{encoder}/{task}/{fit}` of every model.
    encoders : sequence of str
    output : path
        Folder to write into.

    Returns
    -------
    dict
        The content of `serial.json`.

    Raises
    ------
    UserError
        Nobody in the test split has several recordings, or a source has no such column of times.
    """
    days = recording_days({name: results / f"index/{name}.parquet" for name in config.sources}, config.time)
    everything = [_scores(results, name) for name in include]
    everything += [_embedding(results, encoder, config.sources) for encoder in encoders]
    if not any(values.table["patient_id"].duplicated().any() for values in everything):
        raise UserError("serial: nobody has two recordings in the test split: there is nothing to compare")
    rows: list[dict[str, Any]] = []
    models, embeddings = [], []
    for values in everything:
        found = dict(_by_time(values, days, config))
        rows += [row for name, entry in found.items() for row in _rows(values, name, entry)]
        if values.task is None:
            embeddings.append({"encoder": values.encoder, "dims": len(values.names), "times": _medians(found)})
        else:
            own = {"encoder": values.encoder, "task": values.task, "fit": values.fit}
            labels = {label: _times(found, place) for place, label in enumerate(values.names)}
            models.append(own | {"labels": labels})
    content = {
        "times": [ALL, *bin_names(config.gaps)], "bootstrap": how_resampled(config),
        "models": models, "embeddings": embeddings,
    }  # fmt: skip
    write_json(output / "serial.json", content)
    write_text(output / "serial.csv", pd.DataFrame(rows, columns=_COLUMNS).to_csv(index=False))
    save_png(serial_figure(content), output / "serial.png")
    return content


def _scores(results: Path, name: str) -> _Values:
    """What a model says of test recordings; probabilities as logits."""
    encoder, task, fit = name.split("/")
    folder = results / "evaluate" / name
    metrics = read_json(folder / "metrics.json")
    output = KINDS[metrics["kind"]].output
    names: list[str] = metrics["label_names"]
    columns = [f"{output}.{label}" for label in names]
    table = pd.read_parquet(folder / "predictions.parquet", columns=["record_id", "patient_id", "split", *columns])
    table = table[table["split"] == "test"].set_index("record_id").drop(columns="split")
    if output == "probability":
        table[columns] = log_odds(table[columns].to_numpy())
    return _Values(encoder, task, fit, table.rename(columns=dict(zip(columns, names, strict=True))), names)


def _embedding(results: Path, encoder: str, sources: Sequence[str]) -> _Values:
    """The vectors of test recordings."""
    records = pd.read_parquet(results / "manifest/records.parquet", columns=["record_id", "split"])
    test = records.loc[records["split"] == "test", "record_id"]
    parts = [pd.read_parquet(results / f"embed/{encoder}/{source}.parquet") for source in sources]
    table = pd.concat(parts).set_index("record")
    names = [name for name in map(str, table) if name.startswith("vector.")]
    table = table.loc[table.index.isin(test), ["patient_id", *names]].rename_axis("record_id")
    return _Values(encoder, None, None, table.dropna(), names)


def _by_time(values: _Values, days: pd.Series, config: SerialSlice) -> Iterator[tuple[str, Reliability]]:
    """Reliability over all recordings of people with several, then of pairs by the time between them."""
    table = values.table.sort_index()
    numbers, patients = table[values.names].to_numpy(np.float64), table["patient_id"].to_numpy(str)
    pairs = pairs_by_gap(patients, days.reindex(table.index).to_numpy(np.float64), config.gaps)
    chosen = [np.arange(len(table)), *(rows.ravel() for rows in pairs)]
    for name, rows in zip([ALL, *bin_names(config.gaps)], chosen, strict=True):
        yield name, reliability(
            numbers[rows], patients[rows], resamples=config.bootstrap, confidence=config.confidence, seed=config.seed,
            min_patients=config.min_patients,
        )  # fmt: skip


def _times(found: dict[str, Reliability], place: int) -> dict[str, dict[str, Any]]:
    """Of one value: an entry per time."""
    return {
        name: _entry(entry.icc[place], entry.ci_low[place], entry.ci_high[place], entry)
        | {"within": _number(entry.within[place])}
        for name, entry in found.items()
    }


def _medians(found: dict[str, Reliability]) -> dict[str, dict[str, Any]]:
    """Of all dimensions: the median and its interval, and the quartiles."""
    quartiles = {
        name: np.nanquantile(entry.icc, [0.25, 0.75]).tolist() if np.isfinite(entry.icc).any() else [None, None]
        for name, entry in found.items()
    }
    return {
        name: _entry(*entry.median, entry) | {"lower": quartiles[name][0], "upper": quartiles[name][1]}
        for name, entry in found.items()
    }


def _entry(value: float, low: float, high: float, of: Reliability) -> dict[str, Any]:
    """A value with its interval, or the reason why it has none, and whose it is."""
    numbers = {"value": _number(value), "ci_low": _number(low), "ci_high": _number(high)}
    of_whom = {"patients": of.patients, "recordings": of.recordings}
    if numbers["value"] is None:
        why = "nothing varies" if of.patients > 1 else f"{counted(of.patients, 'patient')} with two such recordings"
        return numbers | of_whom | {"reason": why}
    if numbers["ci_low"] is None:
        return numbers | of_whom | {"reason": f"too few patients ({of.patients})"}
    return numbers | of_whom


def _rows(values: _Values, time: str, entry: Reliability) -> Iterator[dict[str, Any]]:
    for place, name in enumerate(values.names):
        numbers = (entry.icc[place], entry.ci_low[place], entry.ci_high[place], entry.within[place])
        own = (values.encoder, values.task, values.fit, name, time, entry.patients, entry.recordings)
        yield dict(zip(_COLUMNS, [*own, *map(_number, numbers)], strict=True))


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
