"""The manifest: which record belongs to whom and to which split, and what became of every other one.

Tables pass through in pieces, in the order of their ids; the search for duplicates alone holds something of all
records (`duplicates/search.py`).
"""

from __future__ import annotations

import itertools
import json
import logging
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecglfm.config import ManifestSlice, TaskSlice, UserError
from ecglfm.config.databases import overlaps
from ecglfm.config.expression import parse_condition
from ecglfm.config.wording import counted
from ecglfm.data.columns import matches, resolve
from ecglfm.data.manifest.amplitudes import about_amplitudes, odd_records, source_medians
from ecglfm.data.manifest.audit import audit
from ecglfm.data.manifest.cross_validation import cross_validate
from ecglfm.data.manifest.duplicates import ShardRecordings, duplicate_pairs, move_clusters, moved
from ecglfm.data.manifest.ledger import SortedLedger, noted
from ecglfm.data.manifest.overlaps import held_databases
from ecglfm.data.manifest.source_tables import SourceTables
from ecglfm.data.manifest.splits import fold_column
from ecglfm.data.manifest.stratify import FEW_PATIENTS, open_labels, stratified_splits
from ecglfm.data.manifest.whole_patients import keep_whole
from ecglfm.data.samples import check_shards
from ecglfm.data.signals import QUALITY
from ecglfm.data.tables import TableReader, shard_tables, table_pieces, write_pieces
from ecglfm.provenance import write_json
from ecglfm.records import INDEX_COLUMNS, data_hash_of_pieces, require_columns
from ecglfm.sources.base import unknown_patients
from ecglfm.sources.tables import rechunked

logger = logging.getLogger(__name__)

RECORD_COLUMNS = [
    "record_id", "source", "patient_id", "split", "age", "sex", "sampling_rate", "n_samples", "shard", "offset",
    "sha256", "lead_mask", *QUALITY, "flags",
]  # fmt: skip
_FROM_PREPROCESS = [column for column in RECORD_COLUMNS if column not in {"split", "age", "sex"}]
_FROM_INDEX = [column for column in INDEX_COLUMNS if column not in {"path", "codes", "report"}]


def _index_columns(results: Path, source: str) -> list[str]:
    """Columns that a source's index has, the standard ones surely among them."""
    path = results / "index" / f"{source}.parquet"
    if not path.exists():
        raise UserError(f"{path}: no such file; run the stage index for source {source!r}")
    there = pq.read_schema(path).names
    require_columns(pd.DataFrame(columns=there), _FROM_INDEX, str(path))
    return list(there)


def _query_names(slice: ManifestSlice, columns: dict[str, list[str]]) -> dict[str, str]:  # noqa: A002
    """Column that each name of `manifest.query` means; splits come after the query, so `split` is none."""
    if slice.manifest.query is None:
        return {}
    offered = {*_FROM_PREPROCESS, "age", "sex"}.union(*columns.values()) - {"path"}
    return resolve(parse_condition(slice.manifest.query), offered, "config.yaml: manifest.query")


def _open_sources(slice: ManifestSlice, results: Path, names: dict[str, str]) -> list[SourceTables]:  # noqa: A002
    sources, folds = [], slice.manifest.folds
    for source in slice.sources:
        there = _index_columns(results, source)
        about = {"age", "sex", *(set(names.values()) - set(_FROM_PREPROCESS))} & set(there)
        own = folds.get(source)
        fold = fold_column(there, source, own) if own is not None and own.k is None else None
        shards = slice.shards.get(source)
        tables = SourceTables(
            results, source, slice.manifest, columns=_FROM_PREPROCESS, about=sorted(about), fold=fold, shards=shards
        )
        sources.append(tables)
    return sources


def _wanted(people: pd.DataFrame, query: str | None, names: dict[str, str]) -> np.ndarray:
    """Which records meet the query."""
    if query is None:
        return np.ones(len(people), bool)
    return np.asarray(matches(parse_condition(query), people, names, "config.yaml: manifest.query"), bool)


def _carried(
    slice: ManifestSlice,  # noqa: A002
    results: Path,
    sources: list[SourceTables],
    names: dict[str, str],
) -> dict[str, Iterator[pd.DataFrame]]:
    """By source, records in pieces: `patient_id`, and which of the labels of `manifest.stratify` they carry."""
    tasks = [
        TaskSlice(task=name, config=task, kinds={source: slice.kinds[source] for source in task.sources or ()})
        for name, task in slice.tasks.items()
    ]

    def carried(source: SourceTables) -> Iterator[pd.DataFrame]:
        path, offered = results / f"index/{source.source}.parquet", _index_columns(results, source.source)
        labels = open_labels(tasks, source.source, offered, path)
        for people in source.people(labels):
            yield people.loc[_wanted(people, slice.manifest.query, names), ["patient_id", *labels.names]]

    return {source.source: carried(source) for source in sources}


def _records(
    sources: list[SourceTables], query: str | None, names: dict[str, str], ledger: SortedLedger
) -> Iterator[pa.Table]:
    """Rows of `records.parquet`, as they were split at first; those that do not meet the query go to the ledger."""
    schema: pa.Schema | None = None
    for source in sorted(sources, key=lambda one: f"{one.source}/"):  # with which all its ids begin
        for people in source.people():
            wanted = _wanted(people, query, names)
            if query is not None:
                said = {"source": source.source, "stage": "manifest", "action": "dropped", "reason": "query"}
                out = pd.DataFrame({"record_id": people["record_id"][~wanted]}).assign(**said)
                ledger.add(out.assign(detail=f"does not meet manifest.query: {query}"))
                people = people[wanted]
            rows = people[RECORD_COLUMNS].astype({"split": "str", "sex": "str", "age": "float64"})
            table = pa.Table.from_pandas(rows, preserve_index=False)
            schema = schema or table.schema
            yield table.cast(schema)


def build_manifest(
    slice: ManifestSlice,  # noqa: A002
    results: Path,
    table: Path,
    ledger: SortedLedger,
) -> Iterator[pd.DataFrame]:
    """Join the tables of every source, take the records that `query` wants, and split them.

    Parameters
    ----------
    slice : ManifestSlice
    results : path
    table : path
        Written: `RECORD_COLUMNS`, sorted by `record_id`.
    ledger : SortedLedger
        Gets every stage's rows.

    Returns
    -------
    iterator of DataFrame
        What folds are dealt by: `patient_id` of records of the cross-validated sources, and a bool column per label of
        `manifest.stratify`.
    """
    query = slice.manifest.query
    names = _query_names(slice, {source: _index_columns(results, source) for source in slice.sources})
    sources = _open_sources(slice, results, names)
    for source in sources:
        for rows in source.ledgers():
            ledger.add(rows)
    by_chance = [source for source in sources if slice.manifest.by_chance(source.source)]
    if slice.tasks:
        of_patients = stratified_splits(_carried(slice, results, by_chance, names), slice.manifest)
        for source in by_chance:
            source.of_patients = of_patients
    n_records = 0
    with write_pieces(table) as write:
        for piece in rechunked(_records(sources, query, names, ledger)):
            write(piece.to_pandas())
            n_records += len(piece)
    if query is not None and not n_records:
        raise UserError(f"config.yaml: manifest.query: no record meets {query!r}")
    assert n_records + ledger.dropped == sum(map(len, sources))
    dealt = [source for source in sources if slice.tasks and source.source in slice.manifest.cross_validated]
    return itertools.chain.from_iterable(_carried(slice, results, dealt, names).values())


def _by_chance(slice: ManifestSlice, counts: dict[str, dict[str, dict[str, int]]]) -> dict[str, int]:  # noqa: A002
    """Patients of the sources of so few that the hash, which alone splits them, leaves rare labels to chance."""
    patients = {source: sum(number["patients"] for number in splits.values()) for source, splits in counts.items()}
    return {
        source: number
        for source, number in patients.items()
        if number < FEW_PATIENTS and slice.manifest.by_chance(source) and not slice.manifest.stratify
    }


def _shards(slice: ManifestSlice, results: Path) -> list[Path]:  # noqa: A002
    """The preprocess tables of every source."""
    tables: list[Path] = []
    for source in slice.sources:
        tables += shard_tables(results / "preprocess" / source, ".parquet", slice.shards.get(source))
    return tables


def run_manifest(slice: ManifestSlice, results: Path, output: Path, workers: int = 1) -> dict[str, Any]:  # noqa: A002
    """Write `records.parquet`, `ledger.parquet` and `audit.json`.

    `records.parquet` is written only when the audit passes, so that nothing can be trained on splits
    that leak; the other two always are.

    Parameters
    ----------
    slice : ManifestSlice
    results : path
        Holds `index/`, `ingest/` and `preprocess/`.
    output : path
        `<results>/manifest`. With `folds: {SOURCE: {k: 5}}` `records.parquet` has a column `fold`, from 0, null for
        records of other sources.
    workers : int
        Processes of the audit. The output does not depend on it.

    Returns
    -------
    dict
        Content of `audit.json`; `passed` false fails the build.

    Raises
    ------
    UserError
        A table is missing, a record was lost, samples are not those that `preprocess` has hashed, folds are asked of a
        source without them or of fewer patients, or the query names a column that no source has or leaves nothing.
    """
    with tempfile.TemporaryDirectory() as scratch:
        table, ledger = Path(scratch) / "records.parquet", SortedLedger()
        carried = build_manifest(slice, results, table, ledger)
        check_shards(_shards(slice, results), workers)
        records: TableReader = partial(table_pieces, table)
        whole = [source for source, own in slice.manifest.folds.items() if own.across == "last"]
        records = keep_whole(records, whole, ledger) if whole else records
        recordings = ShardRecordings(records, results / "preprocess")
        at_least = slice.manifest.duplicate_correlation
        pairs = duplicate_pairs(records, recordings, duplicate_correlation=at_least, workers=workers)
        columns, folds, move = RECORD_COLUMNS, slice.manifest.cross_validated, slice.manifest.duplicates == "move"
        if folds:
            records, pairs, rows = cross_validate(
                records, pairs, carried, sources=folds, seed=slice.manifest.seed, apart=move
            )
            logger.info(
                "manifest: %s taken out of their split: their patient is cross-validated", counted(len(rows), "record")
            )
            ledger.add(rows)
            columns = [*RECORD_COLUMNS, "fold"]
        if move and any(pair["crosses"] for pair in pairs):
            targets, pairs, rows = move_clusters(records, pairs)
            logger.info("manifest: %s moved to the split of their duplicates", counted(len(rows), "record"))
            ledger.add(rows)
            records = moved(records, targets)
        content = audit(records, pairs, folds=bool(folds))
        unknown = {source: unknown_patients(results / "index" / f"{source}.parquet") for source in slice.sources}
        content["patients_unknown"] = {source: number for source, number in unknown.items() if number}
        expected = set[str]().union(*map(slice.manifest.expected, slice.sources))
        content["unfilled"] = [split for split in content["empty"] if split in expected]
        content["by_chance"] = _by_chance(slice, content["counts"])
        content["databases"] = held_databases(slice, results)
        content["overlaps"] = overlaps(content["databases"])
        medians, limits = source_medians(records), slice.manifest.amplitudes
        content["amplitude"] = about_amplitudes(medians, noted(odd_records(records, medians, limits), ledger), limits)
        content["data_hash"] = data_hash_of_pieces(records(columns))
        ledger.write(output / "ledger.parquet")
        write_json(output / "audit.json", content)
        if content["passed"]:
            with write_pieces(output / "records.parquet", {"folds": json.dumps(folds)} if folds else None) as write:
                for piece in records(columns):
                    write(piece)
        else:
            (output / "records.parquet").unlink(missing_ok=True)
    return content
