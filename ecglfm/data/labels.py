"""Label sets: which records of the manifest carry which label, by each database's own words.

A task's YAML says, per label and kind of database, which records carry it. Databases of a kind
without a selector leave the label unknown there (NaN), which is not the same as absent.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import Selector, TaskSlice, UserError
from ecglfm.config.sources import KINDS
from ecglfm.config.text import as_text
from ecglfm.provenance import write_parquet
from ecglfm.records import INDEX_COLUMNS, SPLITS, ledger_frame, require_columns
from ecglfm.sources.snomed import merged

logger = logging.getLogger(__name__)

_SCP_CLASS = "native.scp_class"
_DX = "native.dx"


def find_column(columns: Iterable[str], name: str, where: str) -> str:
    """Column of the index that a selector means: a native one, else one of the standard columns.

    Raises
    ------
    UserError
        There is none; near names are listed.
    """
    columns = list(columns)
    for candidate in (f"native.{name}", name):
        if candidate in columns:
            return candidate
    known = [column.removeprefix("native.") for column in columns]
    near = difflib.get_close_matches(name, known, 3, 0.6) or sorted(known)
    raise UserError(f"{where}: column {name!r} is not in the database's table; near names: {', '.join(near[:12])}")


def _by_value(values: pd.Series, test: Callable[[Any], object]) -> np.ndarray:
    """Apply a test to each distinct value once; null fails."""
    unique = {value: bool(test(value)) for value in values.dropna().unique()}
    return np.array([unique.get(value, False) if pd.notna(value) else False for value in values.array], bool)


def select(index: pd.DataFrame, selector: Selector, where: str) -> np.ndarray:
    """Which rows of one source's index a selector takes: any clause is enough.

    Parameters
    ----------
    index : DataFrame
        Index table of one source.
    selector : Selector
    where : str
        Task, label and kind, for messages.

    Returns
    -------
    ndarray of bool, shape (len(index),)

    Raises
    ------
    UserError
        A column is not in the index, or a clause does not fit the kind of database.
    """
    selected = np.zeros(len(index), bool)
    if selector.scp:
        if _SCP_CLASS not in index:
            raise UserError(f"{where}: `scp` needs a database with SCP-ECG codes; use `report` or `column` here")
        codes, least = set(selector.scp), selector.min_likelihood
        selected |= np.array(
            [any(c["code"] in codes and c["likelihood"] >= least for c in row) for row in index["codes"]], bool
        )
    if selector.scp_class:
        if _SCP_CLASS not in index:
            raise UserError(f"{where}: `scp_class` needs a database with SCP-ECG codes; use `report` or `column` here")
        if selector.min_likelihood > 0:
            raise UserError(f"{where}: `min_likelihood` counts for `scp` only; list the codes of the class under `scp`")
        classes = set(selector.scp_class)
        selected |= np.array([not classes.isdisjoint(row) for row in index[_SCP_CLASS]], bool)
    if selector.snomed:
        if _DX not in index:
            raise UserError(f"{where}: `snomed` needs a database with SNOMED CT codes; use `report` or `column` here")
        if selector.min_likelihood > 0:
            raise UserError(f"{where}: `min_likelihood` counts for `scp` only; take it out")
        codes = {merged(code) for code in selector.snomed}
        selected |= np.array([any(c["code"] in codes for c in row) for row in index["codes"]], bool)
    for pattern in selector.report:
        selected |= _by_value(index["report"], re.compile(pattern, re.IGNORECASE).search)
    for name, values in selector.column.items():
        wanted = {as_text(value) for value in values}
        texts = index[find_column(index.columns, name, where)].map(as_text, na_action="ignore")
        selected |= texts.isin(wanted).to_numpy(bool)
    return selected


def _near_spellings(index: pd.DataFrame, selector: Selector) -> str:
    """What the source has that looks like what the selector asks for, for a message; empty when nothing does."""
    hints = []
    offers: dict[str, tuple[list[str], set[str]]] = {}
    if selector.scp:
        offers["scp"] = (selector.scp, {c["code"] for row in index["codes"] for c in row})
    if selector.scp_class:
        offers["scp_class"] = (selector.scp_class, {name for row in index[_SCP_CLASS] for name in row})
    if selector.snomed:
        offers["snomed"] = (selector.snomed, {c["code"] for row in index["codes"] for c in row})
    for name, values in selector.column.items():
        column = index[find_column(index.columns, name, name)]
        offers[name] = (values, {str(value) for value in column.dropna().unique()})
    for clause, (wanted, offered) in offers.items():
        there = {text.casefold(): text for text in sorted(offered)}
        for word in wanted:
            near = [there[key] for key in difflib.get_close_matches(word.casefold(), sorted(there), 3, 0.5)]
            if near:
                hints.append(f"{clause} {word!r}: near ones are {', '.join(near)}")
            elif there:
                hints.append(f"{clause} {word!r}: there are {', '.join(sorted(there.values())[:12])}")
    return "; ".join(hints)


def _check_kinds(slice: TaskSlice) -> None:  # noqa: A002
    """Raise `UserError` for a selector of an unknown kind, and for a label no source of the task can have."""
    present = set(slice.kinds.values())
    for label, selectors in slice.config.labels.items():
        for kind in selectors:
            if kind not in KINDS:
                near = difflib.get_close_matches(kind, KINDS, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; kinds: {', '.join(KINDS)}"
                raise UserError(f"task {slice.task!r}: labels.{label}: {kind!r} is no kind of source{hint}")
        if present.isdisjoint(selectors):
            raise UserError(
                f"task {slice.task!r}: labels.{label}: no selector for the kinds of its sources "
                f"({', '.join(sorted(present))}); add one, or change the task's `sources`"
            )


def label_columns(slice: TaskSlice, index: pd.DataFrame, source: str) -> pd.DataFrame:  # noqa: A002
    """Labels of every row of one source's index.

    Returns
    -------
    DataFrame of float32
        A column per label, in the task's order: 1, 0, or NaN where the kind has no selector.
    """
    kind = slice.kinds[source]
    columns = {}
    for label, selectors in slice.config.labels.items():
        where = f"task {slice.task!r}: labels.{label}.{kind}"
        if kind in selectors:
            columns[label] = select(index, selectors[kind], where).astype(np.float32)
        else:
            columns[label] = np.full(len(index), np.nan, np.float32)
    return pd.DataFrame(columns, index=index.index)


def _needed_columns(path: Path, slice: TaskSlice, kind: str) -> list[str]:  # noqa: A002
    """Columns of an index file that the task reads: a large index has many that it does not."""
    there = pq.read_schema(path).names
    missing = [column for column in INDEX_COLUMNS if column not in there]
    if missing:
        require_columns(pd.DataFrame(columns=there), missing, str(path))
    needed = {"record_id", "source", "codes", "report", _SCP_CLASS, _DX}
    for label, selectors in slice.config.labels.items():
        if kind in selectors:
            where = f"task {slice.task!r}: labels.{label}.{kind}"
            needed |= {find_column(there, name, where) for name in selectors[kind].column}
    return [column for column in there if column in needed]


def _read_index(paths: list[Path], slice: TaskSlice) -> dict[str, pd.DataFrame]:  # noqa: A002
    """Index of each source of the task; a file is known by its stem."""
    by_source = {path.stem: path for path in paths}
    absent = [source for source in slice.kinds if source not in by_source]
    if absent:
        raise UserError(f"task {slice.task!r}: --index has no {absent[0]}.parquet; it has: {', '.join(by_source)}")
    return {
        source: pd.read_parquet(by_source[source], columns=_needed_columns(by_source[source], slice, kind))
        for source, kind in slice.kinds.items()
    }


def _check_labels(slice: TaskSlice, labelled: pd.DataFrame, index: dict[str, pd.DataFrame], matches: pd.Series) -> None:  # noqa: A002
    """Raise `UserError` for a label that nothing matches, or that has no positive to train on."""
    for label, selectors in slice.config.labels.items():
        if matches[label] == 0:
            hints = [_near_spellings(index[s], selectors[k]) for s, k in slice.kinds.items() if k in selectors]
            hint = "; ".join(text for text in hints if text)
            raise UserError(
                f"label {label!r} of task {slice.task!r} matches none of {sum(map(len, index.values()))} records"
                + (f": {hint}" if hint else "; check its selectors")
            )
        column = f"label.{label}"
        known = labelled.dropna(subset=[column])
        train = known[known["split"] == "train"]
        if not (train[column] == 1).any():
            positives = known[known[column] == 1]["split"].value_counts()
            per_split = ", ".join(f"{split} {positives.get(split, 0)}" for split in SPLITS)
            raise UserError(
                f"label {label!r} of task {slice.task!r} has no positive among {len(train)} training records "
                f"(positives: {per_split}); widen its selectors, add sources, or take the label out"
            )
        if (train[column] == 1).all():
            logger.warning("label %r of task %r: all %d training records are positive", label, slice.task, len(train))


def _left_out(labelled: pd.DataFrame, missing: str) -> pd.Series:
    """Why each record is left out of the task; null for those that stay. The first reason counts."""
    labels = labelled[[column for column in labelled.columns if column.startswith("label.")]]
    reason = pd.Series(None, index=labelled.index, dtype="object")
    if missing == "drop":
        reason[~(labels == 1).any(axis=1)] = "no_label"
    reason[labels.isna().all(axis=1)] = "label_unknown"
    reason[labelled["split"].isna()] = "no_split"
    return reason


_DETAILS = {
    "no_split": "in no split",
    "label_unknown": "no label of the task is known in this kind of source",
    "no_label": "carries none of the task's labels (missing: drop)",
}


def run_labels(slice: TaskSlice, manifest: Path, index: list[Path], output: Path) -> None:  # noqa: A002
    """Write `labels/{task}.parquet` and `labels/{task}.ledger.parquet`.

    Parameters
    ----------
    slice : TaskSlice
    manifest : path
        `manifest/records.parquet`.
    index : list of path
        `index/{source}.parquet` of at least the task's sources.
    output : path
        `labels/{task}.parquet`. Columns `record_id`, `patient_id`, `source`, `split`, `label.{name}`
        (float32: 1, 0, NaN unknown); sorted by `record_id`. Every record of the task's sources is in it
        or has a row in the ledger.

    Raises
    ------
    UserError
        A column that is not there, a label that nothing matches, a label without a positive in train.
    """
    _check_kinds(slice)
    records = pd.read_parquet(manifest, columns=["record_id", "patient_id", "source", "split"])
    records = records[records["source"].isin(list(slice.kinds))]
    tables = _read_index(index, slice)
    columns = {source: label_columns(slice, table, source) for source, table in tables.items()}
    labels = pd.concat([columns[s].add_prefix("label.").assign(record_id=tables[s]["record_id"]) for s in tables])
    labelled = records.merge(labels, on="record_id", how="left", validate="one_to_one")
    labelled = labelled.sort_values("record_id", ignore_index=True)
    reason = _left_out(labelled, slice.config.missing)
    kept = labelled[reason.isna()].reset_index(drop=True)
    matches = sum((frame.sum() for frame in columns.values()), start=pd.Series(0.0, index=list(slice.config.labels)))
    _check_labels(slice, kept, tables, matches)

    out = labelled[reason.notna()]
    rows = [
        {"source": source, "record_id": record, "stage": "labels", "action": "dropped", "reason": why,
         "detail": f"task {slice.task}: {_DETAILS[why]}"}
        for source, record, why in zip(out["source"], out["record_id"], reason[out.index], strict=True)
    ]  # fmt: skip
    write_parquet(output, kept)
    write_parquet(output.with_suffix(".ledger.parquet"), ledger_frame(rows))
    logger.info("%s: %d records, %d left out", output, len(kept), len(out))
