"""The manifest: which record belongs to whom and to which split, and what became of every other one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import ManifestSlice, UserError
from ecglfm.config.expression import parse_condition
from ecglfm.data.audit import audit
from ecglfm.data.duplicates.clusters import move_clusters
from ecglfm.data.duplicates.recordings import ShardRecordings
from ecglfm.data.duplicates.search import duplicate_pairs
from ecglfm.data.expression import matches, resolve
from ecglfm.data.preprocess import QUALITY
from ecglfm.data.splits import assign_splits, fold_column
from ecglfm.provenance import write_json, write_parquet
from ecglfm.records import INDEX_COLUMNS, LEDGER_COLUMNS, ledger_frame, require_columns

logger = logging.getLogger(__name__)

RECORD_COLUMNS = [
    "record_id", "source", "patient_id", "split", "age", "sex", "sampling_rate", "n_samples", "shard", "offset",
    "sha256", "lead_mask", *QUALITY, "flags",
]  # fmt: skip
_FROM_PREPROCESS = [column for column in RECORD_COLUMNS if column not in {"split", "age", "sex"}]
_FROM_INDEX = [column for column in INDEX_COLUMNS if column not in {"path", "codes", "report"}]


def shard_tables(folder: Path, suffix: str, shards: int | None) -> list[Path]:
    """Tables of a stage's shards; files of an earlier, larger number of shards are passed over."""
    paths = sorted(path for path in folder.glob(f"*{suffix}") if path.name.removesuffix(suffix).isdigit())
    if shards is not None:
        paths = [path for path in paths if int(path.name.removesuffix(suffix)) < shards]
    if not paths or (shards is not None and len(paths) != shards):
        raise UserError(
            f"{folder}: {len(paths)} of {shards or 'the'} shards are there; run the stage {folder.parent.name}"
        )
    return paths


def _index_columns(results: Path, source: str) -> list[str]:
    """Columns that a source's index has, the standard ones surely among them."""
    path = results / "index" / f"{source}.parquet"
    if not path.exists():
        raise UserError(f"{path}: no such file; run the stage index for source {source!r}")
    there = pq.read_schema(path).names
    require_columns(pd.DataFrame(columns=there), _FROM_INDEX, str(path))
    return list(there)


def _read_source(
    results: Path, source: str, columns: list[str], shards: int | None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Index (some of its columns), preprocess table and ledger of one source."""
    index = pd.read_parquet(results / "index" / f"{source}.parquet", columns=columns)
    folder = results / "preprocess" / source
    tables = [pd.read_parquet(path) for path in shard_tables(folder, ".parquet", shards)]
    ledgers = [
        pd.read_parquet(path)
        for stage in ("ingest", "preprocess")
        for path in shard_tables(results / stage / source, ".ledger.parquet", shards)
    ]
    prepared = pd.concat(tables, ignore_index=True)
    require_columns(prepared, _FROM_PREPROCESS, f"{folder}/*.parquet")
    return index, prepared[_FROM_PREPROCESS], pd.concat(ledgers, ignore_index=True)


def check_nothing_lost(index: pd.DataFrame, prepared: pd.DataFrame, ledger: pd.DataFrame, source: str) -> None:
    """Raise `UserError` unless every row of the index is one record or has one `dropped` row, and nothing else is."""
    dropped = ledger.loc[ledger["action"] == "dropped", "record_id"]
    codes, ids = pd.factorize(pd.concat([index["record_id"], prepared["record_id"], dropped], ignore_index=True))
    indexed = np.bincount(codes[: len(index)], minlength=len(ids))
    accounted = np.bincount(codes[len(index) :], minlength=len(ids))
    problems = {
        "in neither": accounted == 0,
        "not in the index": indexed == 0,
        "counted twice": accounted > 1,
        "twice in the index": indexed > 1,
    }
    found = [f"{bad.sum()} {word} ({min(ids[bad])}, …)" for word, bad in problems.items() if bad.any()]
    if found:
        raise UserError(
            f"source {source!r}: {len(index)} rows of index, but {len(prepared)} records + {len(dropped)} dropped: "
            f"{'; '.join(found)}; delete its folders under ingest/ and preprocess/ and run again"
        )


def _query_names(slice: ManifestSlice, columns: dict[str, list[str]]) -> dict[str, str]:  # noqa: A002
    """Column that each name of `manifest.query` means; splits come after the query, so `split` is none."""
    if slice.manifest.query is None:
        return {}
    offered = {*_FROM_PREPROCESS, "age", "sex"}.union(*columns.values()) - {"path"}
    return resolve(parse_condition(slice.manifest.query), offered, "config.yaml: manifest.query")


def _apply_query(
    people: pd.DataFrame, query: str | None, names: dict[str, str], source: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records that meet the query, and the ledger rows of the others."""
    if query is None:
        return people, ledger_frame([])
    wanted = matches(parse_condition(query), people, names, "config.yaml: manifest.query")
    ids = people.loc[~wanted, "record_id"].reset_index(drop=True)
    said = {"source": source, "stage": "manifest", "action": "dropped", "reason": "query"}
    out = pd.DataFrame({"record_id": ids}).assign(**said, detail=f"does not meet manifest.query: {query}")
    return people[wanted], out[list(LEDGER_COLUMNS)].astype("str")


def build_manifest(slice: ManifestSlice, results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:  # noqa: A002
    """Join the tables of every source, take the records that `query` wants, and split them.

    Returns
    -------
    records : DataFrame
        `RECORD_COLUMNS`, sorted by `record_id`.
    ledger : DataFrame
        Every stage's rows, sorted.

    Raises
    ------
    UserError
        A table is missing, a record was lost, folds are asked of a source without them, or the query names a column
        that no source has or leaves nothing.
    """
    config = slice.manifest
    columns = {source: _index_columns(results, source) for source in slice.sources}
    names = _query_names(slice, columns)
    all_records, all_ledgers, rows = [], [ledger_frame([])], 0
    for source in slice.sources:
        wanted = {*_FROM_INDEX, *(set(names.values()) - set(_FROM_PREPROCESS))}
        if source in config.folds:
            wanted.add(fold_column(columns[source], source, config.folds[source]))
        wanted &= set(columns[source])
        index, prepared, ledger = _read_source(results, source, sorted(wanted), slice.shards.get(source))
        check_nothing_lost(index, prepared, ledger, source)
        rows += len(index)
        about = index.drop(columns=["source", "patient_id"]).assign(split=assign_splits(index, source, config))
        people = prepared.merge(about, on="record_id", validate="one_to_one")
        people, out = _apply_query(people, config.query, names, source)
        all_records.append(people[RECORD_COLUMNS])
        all_ledgers += [ledger[list(LEDGER_COLUMNS)], out]
    records = pd.concat(all_records, ignore_index=True).astype({"split": "str", "sex": "str", "age": "float64"})
    if config.query is not None and not len(records):
        raise UserError(f"config.yaml: manifest.query: no record meets {config.query!r}")
    ledger = pd.concat(all_ledgers, ignore_index=True).astype("str")
    assert len(records) + int((ledger["action"] == "dropped").sum()) == rows
    records = records.sort_values("record_id", ignore_index=True)
    return records, ledger.sort_values(list(LEDGER_COLUMNS), ignore_index=True)


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
        `<results>/manifest`.
    workers : int
        Processes of the audit. The output does not depend on it.

    Returns
    -------
    dict
        Content of `audit.json`; `passed` false fails the build.

    Raises
    ------
    UserError
        As `build_manifest`.
    """
    records, ledger = build_manifest(slice, results)
    recordings = ShardRecordings(records, results / "preprocess")
    at_least = slice.manifest.duplicate_correlation
    pairs = duplicate_pairs(records, recordings, duplicate_correlation=at_least, workers=workers)
    if slice.manifest.duplicates == "move" and any(pair["crosses"] for pair in pairs):
        records, pairs, moved = move_clusters(records, pairs)
        logger.info("manifest: %d records moved to the split of their duplicates", len(moved))
        ledger = pd.concat([ledger, moved], ignore_index=True).sort_values(list(LEDGER_COLUMNS), ignore_index=True)
    content = audit(records, pairs)
    write_parquet(output / "ledger.parquet", ledger)
    write_json(output / "audit.json", content)
    if content["passed"]:
        write_parquet(output / "records.parquet", records)
    else:
        (output / "records.parquet").unlink(missing_ok=True)
    return content
