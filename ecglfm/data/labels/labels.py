"""Label sets: which records of the manifest carry which label, by each database's own words.

A task's YAML says, per label and kind of database, which records carry it. Databases of a kind
without a selector leave the label unknown there (NaN), which is not the same as absent.

Tables are read and written some thousand rows at a time.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ecglfm.config import TaskSlice, UserError
from ecglfm.config.project import check_label_sources
from ecglfm.config.wording import counted
from ecglfm.data.labels.counts import LabelCounts, check_places
from ecglfm.data.labels.reasons import ledger_of, left_out
from ecglfm.data.labels.selectors import near_spellings
from ecglfm.data.labels.source_targets import EXCLUDED, SourceTargets, target_columns
from ecglfm.data.tables import sorted_pieces, table_pieces, write_pieces
from ecglfm.records import INDEX_COLUMNS, places, read_folds, require_columns
from ecglfm.sources.base import patient_ids
from ecglfm.sources.tables import merge_join, rechunked

logger = logging.getLogger(__name__)

#: Records with their labels, and why each is left out of the task, null for those that stay.
LabelledChunk = tuple[pd.DataFrame, pd.Series]


class LabelledRecords:
    """The records of a task's sources with their labels.

    Parameters
    ----------
    slice : TaskSlice
    manifest : path
        `manifest/records.parquet`.
    index : list of path
        `index/{source}.parquet`; a file is known by its stem.

    Attributes
    ----------
    n_records : int
        Rows of the indexes, after `chunks` has run to its end.
    matches : ndarray of int, shape (n_labels,)
        Those that carry each label (of regression and survival: those of which it is known).
    folds : int
        Folds of the cross-validation that a source of the task takes part in; 0: none does.

    Raises
    ------
    UserError
        An index is not there or lacks a column; a selector names what is not there.
    """

    def __init__(self, slice: TaskSlice, manifest: Path, index: list[Path]) -> None:  # noqa: A002
        check_label_sources(slice.config, slice.kinds, f"task {slice.task!r}")
        self._slice, self._manifest = slice, manifest
        self._paths = {path.stem: path for path in index}
        absent = [source for source in slice.kinds if source not in self._paths]
        if absent:
            raise UserError(
                f"task {slice.task!r}: --index has no {absent[0]}.parquet; it has: {', '.join(self._paths)}"
            )
        self._targets = {source: self._open(source) for source in slice.kinds}
        dealt = read_folds(manifest)
        self.folds = max((dealt.get(source, 0) for source in slice.kinds), default=0)
        self.n_records, self.matches = 0, np.zeros(len(slice.config.labels), np.int64)
        self._warned = False

    def _open(self, source: str) -> SourceTargets:
        there = pq.read_schema(self._paths[source]).names
        missing = [column for column in INDEX_COLUMNS if column not in there]
        if missing:
            require_columns(pd.DataFrame(columns=there), missing, str(self._paths[source]))
        path = self._paths[source]
        return SourceTargets(self._slice, source, there, patient_ids(path), path)

    def chunks(self) -> Iterator[LabelledChunk]:
        """Yield records, sorted by `record_id`, and why each is left out, null for those that stay.

        Raises
        ------
        UserError
            A record stands twice in an index, or a cell is no number where one is needed.
        """
        self.n_records, self.matches = 0, np.zeros(len(self._slice.config.labels), np.int64)
        columns = ["record_id", "patient_id", "source", "split", *(["fold"] if self.folds else [])]
        manifest = table_pieces(self._manifest, columns)
        records = (pa.Table.from_pandas(piece, preserve_index=False) for piece in manifest)
        for table in rechunked(self._joined(records)):
            labelled = table.to_pandas()
            labelled = labelled[labelled["source"].isin(list(self._slice.kinds))]
            reason = left_out(labelled, self._slice)
            yield labelled.drop(columns=EXCLUDED), reason

    def _joined(self, records: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Records with the columns of `SourceTargets.of`."""
        for some, labels in merge_join([records, sorted_pieces(self._read(), "record_id")], "record_id"):
            ids = labels["record_id"].combine_chunks()
            if len(ids.unique()) < len(ids):
                paths = ", ".join(map(str, self._paths.values()))
                raise UserError(f"task {self._slice.task!r}: a record stands twice in {paths}")
            found = labels.take(pc.index_in(some["record_id"], ids))
            for column in labels.column_names[1:]:
                some = some.append_column(column, pc.fill_null(found[column], False if column == EXCLUDED else np.nan))
            yield some

    def _read(self) -> Iterator[pd.DataFrame]:
        of_label = [target_columns(self._slice, label)[0] for label in self._slice.config.labels]
        classes = self._slice.config.task_kind.has_classes
        for source, targets in self._targets.items():
            for index in table_pieces(self._paths[source], targets.columns):
                labels = targets.of(index)
                values = labels[of_label]
                self.n_records += len(labels)
                self.matches += (values == 1 if classes else values.notna()).sum().to_numpy()
                yield pd.concat([index["record_id"], labels], axis=1)
            targets.warn()
        self._warn_ambiguous()

    def _warn_ambiguous(self) -> None:
        """Say, once, where an id in a label file may be that of either of two sources, and is taken for both's."""
        asked = [(source, targets.bare_ids()) for source, targets in self._targets.items()] if not self._warned else []
        for (one, ids), (other, others) in itertools.combinations(asked, 2):
            for file in ids.keys() & others.keys():
                both = np.intersect1d(ids[file], others[file])
                if len(both):
                    logger.warning(
                        "%s: %s of both %s and %s and taken for both, such as %s; where one of them is meant, write"
                        " its name before it: %s/%s", file.path, counted(
                            len(both), f"id is a {file.by}", f"ids are a {file.by}"
                        ), one, other, both[0].decode(), one, both[0].decode(),
                    )  # fmt: skip
        self._warned = True

    def opened(self) -> list[tuple[str, SourceTargets, Path]]:
        """Each source, what the task asks of it, and its index."""
        return [(source, targets, self._paths[source]) for source, targets in self._targets.items()]

    def near(self, label: str) -> str:
        """What the sources have that looks like what a label asks for, for a message."""
        selectors = self._slice.config.labels[label]
        hints = []
        for source, kind in self._slice.kinds.items():
            if kind in selectors:
                targets = self._targets[source]
                index = pd.read_parquet(self._paths[source], columns=targets.columns)
                hints.append(near_spellings(index, selectors[kind], targets.file_rows(index, selectors[kind])))
        return "; ".join(text for text in hints if text)


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
        `labels/{task}.parquet`. Columns `record_id`, `patient_id`, `source`, `split`, then float32, NaN where unknown:
        `label.{name}`, which is 1 or 0 (multiclass: one 1 in a row) or the number, or of survival `time.{name}` and
        `event.{name}`; sorted by `record_id`. Where a source is cross-validated, `fold` stands behind
        `split`. Every record of the task's sources is in it or has a row in the ledger. With `rare: leave_out` it has
        fewer labels than the task: `read_left_out` tells which, and why.

    Raises
    ------
    UserError
        A column that is not there, a label that nothing matches, or with too few positives in train.
    """
    labels, config = LabelledRecords(slice, manifest, index), slice.config
    rare: dict[str, str] = {}
    if config.rare == "leave_out":
        first = LabelCounts(slice, labels.folds)
        for labelled, reason in map(finisher(slice, {}), labels.chunks()):
            first.add(labelled[reason.isna()])
        rare = check_rare(slice, first)
        for label, why in rare.items():
            logger.warning("task %r goes on without label %r, which %s", slice.task, label, why)
    counts = LabelCounts(slice, labels.folds)
    by_place, n_out = Counter[str](), 0
    metadata = {"left_out": json.dumps(rare)}
    with write_pieces(output, metadata) as write_kept, write_pieces(output.with_suffix(".ledger.parquet")) as write_out:
        for labelled, reason in map(finisher(slice, rare), labels.chunks()):
            kept, out = labelled[reason.isna()], labelled[reason.notna()]
            if not rare:
                counts.add(kept)
            write_kept(kept)
            write_out(ledger_of(slice.task, out, reason[out.index]))
            by_place.update(places(kept))
            n_out += len(out)
        if config.rare == "error":
            _check_labels(slice, labels, counts)
        if slice.fitted:
            check_places(slice, by_place, labels.folds)
    logger.info("%s: %s, %d left out", output, counted(by_place.total(), "record"), n_out)


def read_left_out(labels: Path) -> dict[str, str]:
    """Labels that the task lists and `labels/{task}.parquet` does not have, and why."""
    metadata = pq.read_metadata(labels).metadata or {}
    return dict(json.loads(metadata.get(b"left_out", b"{}")))


def check_rare(slice: TaskSlice, counts: LabelCounts) -> dict[str, str]:  # noqa: A002
    """Labels that the task goes on without, and why; raises `UserError` where none or (multiclass) one would remain."""
    rare = counts.rare() if is_learnt(slice, counts) else {}
    if len(slice.config.labels) - len(rare) < slice.config.task_kind.least:
        label, why = next(iter(rare.items()))
        raise UserError(f"task {slice.task!r}: too few of its labels can be trained on; label {label!r} {why}")
    return rare


def is_learnt(slice: TaskSlice, counts: LabelCounts) -> bool:  # noqa: A002
    """Whether anything can learn from the task: a cohort that is only measured has no training records."""
    return slice.fitted or counts.records() > counts.records(split="test")


def finisher(slice: TaskSlice, rare: dict[str, str]) -> Callable[[LabelledChunk], LabelledChunk]:  # noqa: A002
    """Function that gives records the form in which they are written, without the labels left out."""
    kind = slice.config.task_kind
    names = [label for label in slice.config.labels if label not in rare]
    columns = [column for label in names for column in target_columns(slice, label)]

    def finish(piece: LabelledChunk) -> LabelledChunk:
        labelled, reason = piece
        about = [name for name in ("record_id", "patient_id", "source", "split", "fold") if name in labelled]
        labelled = labelled[[*about, *columns]].copy()
        if kind.exclusive:
            labelled[columns] = labelled[columns].fillna(0)  # a record has one class: the others are not unknown
            reason = reason.mask(reason.isna() & ~(labelled[columns] == 1).any(axis=1), "rare_class")
        if kind.time is not None:
            for label in names:
                usable = labelled[f"{kind.time}.{label}"] > 0
                for column in target_columns(slice, label):
                    labelled[column] = labelled[column].where(usable)
        return labelled, reason

    return finish


def _check_labels(slice: TaskSlice, labels: LabelledRecords, kept: LabelCounts) -> None:  # noqa: A002
    """Raise `UserError` for a label that nothing matches, or that has too few records to train on."""
    for label, matches in zip(slice.config.labels, labels.matches.tolist(), strict=True):
        if matches == 0:
            hint = labels.near(label)
            raise UserError(
                f"label {label!r} of task {slice.task!r} matches none of {counted(labels.n_records, 'record')}"
                + (f": {hint}" if hint else "; check its selectors")
                + "; where nobody has it, take the label out"
            )
    enough = set(slice.config.labels) - set(kept.too_few())
    for label, why in kept.rare().items() if is_learnt(slice, kept) else ():
        if label in enough:
            logger.warning("label %r of task %r %s", label, slice.task, why)
        else:
            raise UserError(
                f"label {label!r} of task {slice.task!r} {why}; "
                "widen its selectors, add sources, write `rare: leave_out`, or take the label out"
            )
