"""Label sets: which records of the manifest carry which label, by each database's own words.

A task's YAML says, per label and kind of database, which records carry it. Databases of a kind
without a selector leave the label unknown there (NaN), which is not the same as absent.

Tables are read and written some thousand rows at a time.
"""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ecglfm.config import TaskSlice, UserError
from ecglfm.config.sources import KINDS
from ecglfm.data.pieces import sorted_pieces, table_pieces, write_pieces
from ecglfm.data.selectors import DX, SCP_CLASS, find_column, near_spellings, select
from ecglfm.records import INDEX_COLUMNS, SPLITS, ledger_frame, require_columns
from ecglfm.sources.reorder import cut, in_step

logger = logging.getLogger(__name__)


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
    needed = {"record_id", "source", "codes", "report", SCP_CLASS, DX}
    for label, selectors in slice.config.labels.items():
        if kind in selectors:
            where = f"task {slice.task!r}: labels.{label}.{kind}"
            needed |= {find_column(there, name, where) for name in selectors[kind].column}
    return [column for column in there if column in needed]


class _Labels:
    """Labels of every row of the indexes of a task's sources.

    Parameters
    ----------
    slice : TaskSlice
    paths : list of path
        `index/{source}.parquet`; a file is known by its stem.

    Attributes
    ----------
    n_records : int
    matches : ndarray of int, shape (n_labels,)
        Records that carry each label.
    """

    def __init__(self, slice: TaskSlice, paths: list[Path]) -> None:  # noqa: A002
        self._slice = slice
        self._paths = {path.stem: path for path in paths}
        absent = [source for source in slice.kinds if source not in self._paths]
        if absent:
            raise UserError(
                f"task {slice.task!r}: --index has no {absent[0]}.parquet; it has: {', '.join(self._paths)}"
            )
        self.n_records, self.matches = 0, np.zeros(len(slice.config.labels), np.int64)

    def of(self, records: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Records, sorted by `record_id`, with `label.{name}`, float32, NaN where unknown.

        Raises
        ------
        UserError
            A record stands twice in an index.
        """
        for some, labels in in_step([records, sorted_pieces(self._read(), "record_id")], "record_id"):
            ids = labels["record_id"].combine_chunks()
            if len(ids.unique()) < len(ids):
                paths = ", ".join(map(str, self._paths.values()))
                raise UserError(f"task {self._slice.task!r}: a record stands twice in {paths}")
            found = labels.take(pc.index_in(some["record_id"], ids))
            for column in labels.column_names[1:]:
                some = some.append_column(column, pc.fill_null(found[column], np.nan))
            yield some

    def _read(self) -> Iterator[pd.DataFrame]:
        for source in self._slice.kinds:
            for index in table_pieces(self._paths[source], self._columns(source)):
                labels = label_columns(self._slice, index, source)
                self.n_records += len(labels)
                self.matches += (labels == 1).sum().to_numpy()
                yield pd.concat([index["record_id"], labels.add_prefix("label.")], axis=1)

    def _columns(self, source: str) -> list[str]:
        return _needed_columns(self._paths[source], self._slice, self._slice.kinds[source])

    def near(self, label: str) -> str:
        """What the sources have that looks like what a label asks for, for a message."""
        selectors = self._slice.config.labels[label]
        hints = [
            near_spellings(pd.read_parquet(self._paths[source], columns=self._columns(source)), selectors[kind])
            for source, kind in self._slice.kinds.items()
            if kind in selectors
        ]
        return "; ".join(text for text in hints if text)


def _check_labels(slice: TaskSlice, labels: _Labels, kept: Counter[tuple[str, str, bool]]) -> None:  # noqa: A002
    """Raise `UserError` for a label that nothing matches, or that has no positive to train on.

    `kept` counts the records of the task by label, split, and whether they carry it; unknown ones do not count.
    """
    for label, matches in zip(slice.config.labels, labels.matches.tolist(), strict=True):
        if matches == 0:
            hint = labels.near(label)
            raise UserError(
                f"label {label!r} of task {slice.task!r} matches none of {labels.n_records} records"
                + (f": {hint}" if hint else "; check its selectors")
            )
        positives = {split: kept[label, split, True] for split in SPLITS}
        train = positives["train"] + kept[label, "train", False]
        if not positives["train"]:
            per_split = ", ".join(f"{split} {number}" for split, number in positives.items())
            raise UserError(
                f"label {label!r} of task {slice.task!r} has no positive among {train} training records "
                f"(positives: {per_split}); widen its selectors, add sources, or take the label out"
            )
        if not kept[label, "train", False]:
            logger.warning("label %r of task %r: all %d training records are positive", label, slice.task, train)


def _count(kept: pd.DataFrame, labels: list[str], counts: Counter[tuple[str, str, bool]]) -> None:
    for label in labels:
        values = kept[f"label.{label}"]
        for split in SPLITS:
            for carries in (True, False):
                counts[label, split, carries] += int(((kept["split"] == split) & (values == float(carries))).sum())


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
    labels = _Labels(slice, index)
    counts: Counter[tuple[str, str, bool]] = Counter()
    n_kept = n_out = 0
    with write_pieces(output) as write_kept, write_pieces(output.with_suffix(".ledger.parquet")) as write_out:
        pieces = table_pieces(manifest, ["record_id", "patient_id", "source", "split"])
        records = (pa.Table.from_pandas(piece, preserve_index=False) for piece in pieces)
        for table in cut(labels.of(records)):
            labelled = table.to_pandas()
            labelled = labelled[labelled["source"].isin(list(slice.kinds))]
            reason = _left_out(labelled, slice.config.missing)
            kept, out = labelled[reason.isna()], labelled[reason.notna()]
            _count(kept, list(slice.config.labels), counts)
            write_kept(kept)
            write_out(_ledger(slice.task, out, reason[out.index]))
            n_kept, n_out = n_kept + len(kept), n_out + len(out)
        _check_labels(slice, labels, counts)
    logger.info("%s: %d records, %d left out", output, n_kept, n_out)


def _ledger(task: str, out: pd.DataFrame, reason: pd.Series) -> pd.DataFrame:
    rows = [
        {"source": source, "record_id": record, "stage": "labels", "action": "dropped", "reason": why,
         "detail": f"task {task}: {_DETAILS[why]}"}
        for source, record, why in zip(out["source"], out["record_id"], reason, strict=True)
    ]  # fmt: skip
    return ledger_frame(rows)
