"""The manifest: which record belongs to whom and to which split, and what became of every other one.

Tables pass through in pieces; what is held of all records, 100 to 300 bytes each, is what tells their order and what
the audit compares.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ecglfm.config import ManifestSlice, UserError
from ecglfm.config.expression import parse_condition
from ecglfm.data.audit import audit
from ecglfm.data.duplicates.clusters import move_clusters
from ecglfm.data.duplicates.recordings import ShardRecordings
from ecglfm.data.duplicates.search import duplicate_pairs
from ecglfm.data.expression import matches, resolve
from ecglfm.data.ledger import SortedLedger
from ecglfm.data.pieces import hashes, joined, table_pieces, write_pieces
from ecglfm.data.preprocess import QUALITY
from ecglfm.data.source_tables import SourceTables
from ecglfm.data.splits import fold_column
from ecglfm.provenance import write_json
from ecglfm.records import INDEX_COLUMNS, SPLITS, data_hash_of_pieces, require_columns
from ecglfm.sources.reorder import in_order, rank_of

logger = logging.getLogger(__name__)

RECORD_COLUMNS = [
    "record_id", "source", "patient_id", "split", "age", "sex", "sampling_rate", "n_samples", "shard", "offset",
    "sha256", "lead_mask", *QUALITY, "flags",
]  # fmt: skip
_FROM_PREPROCESS = [column for column in RECORD_COLUMNS if column not in {"split", "age", "sex"}]
_FROM_INDEX = [column for column in INDEX_COLUMNS if column not in {"path", "codes", "report"}]
_PLACE = ["shard", "offset", "n_samples"]


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
        fold = fold_column(there, source, folds[source]) if source in folds else None
        shards = slice.shards.get(source)
        tables = SourceTables(
            results, source, slice.manifest, columns=_FROM_PREPROCESS, about=sorted(about), fold=fold, shards=shards
        )
        sources.append(tables)
    return sources


def _wanted_ids(
    sources: list[SourceTables], query: str | None, names: dict[str, str], ledger: SortedLedger
) -> Iterator[pa.Array]:
    """Ids of the prepared records; null for those that do not meet the query, which get a row in the ledger."""
    condition = parse_condition(query) if query is not None else None
    columns = ["record_id", *sorted(set(names.values()) & set(_FROM_PREPROCESS) - {"record_id"})]
    for source in sources:
        for people in source.people(columns):
            ids = people["record_id"]
            if condition is not None:
                wanted = matches(condition, people, names, "config.yaml: manifest.query")
                said = {"source": source.source, "stage": "manifest", "action": "dropped", "reason": "query"}
                out = pd.DataFrame({"record_id": ids[~wanted]}).assign(**said)
                ledger.add(out.assign(detail=f"does not meet manifest.query: {query}"))
                ids = ids.where(wanted)
            yield pa.array(ids, pa.large_string())


def _rank(ids: pa.ChunkedArray) -> np.ndarray:
    """Place of each record in the order of the ids; -1 where the id is null."""
    order = pc.sort_indices(pa.table({"id": ids}), [("id", "ascending")]).to_numpy().astype(np.int64)  # nulls last
    rank = rank_of(order)
    rank[rank >= len(ids) - ids.null_count] = -1
    return rank


def _sorted_records(sources: list[SourceTables], rank: np.ndarray) -> Iterator[pd.DataFrame]:
    """Rows of `records.parquet`, as they were split at first, in pieces."""
    types = {"split": "str", "sex": "str", "age": "float64"}
    people = (piece[RECORD_COLUMNS].astype(types) for source in sources for piece in source.people())
    return in_order(people, rank, n_places=int((rank >= 0).sum()))


def _compact(piece: pd.DataFrame, sources: list[str]) -> pd.DataFrame:
    """What the audit needs of some records, in few bytes: patients and samples by a hash."""
    columns = {
        "record_id": piece["record_id"],
        "source": pd.Categorical(piece["source"], sources),
        "patient_id": hashes(piece["patient_id"]),
        "split": pd.Categorical(piece["split"], list(SPLITS)),
        "sha256": hashes(piece["sha256"]),
        "sampling_rate": piece["sampling_rate"].astype("float32"),
        "lead_mask": piece["lead_mask"].astype("int32"),
    }
    return pd.DataFrame(columns | {name: piece[name] for name in _PLACE})


def build_manifest(slice: ManifestSlice, results: Path, table: Path, ledger: SortedLedger) -> pd.DataFrame:  # noqa: A002
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
    DataFrame
        What the audit needs of each record, as `_compact` gives it.
    """
    query = slice.manifest.query
    names = _query_names(slice, {source: _index_columns(results, source) for source in slice.sources})
    sources = _open_sources(slice, results, names)
    for source in sources:
        for rows in source.ledgers():
            ledger.add(rows)
    rank = _rank(pa.chunked_array(_wanted_ids(sources, query, names, ledger), pa.large_string()))
    n_records = int((rank >= 0).sum())
    if query is not None and not n_records:
        raise UserError(f"config.yaml: manifest.query: no record meets {query!r}")
    assert n_records + ledger.dropped == sum(map(len, sources))
    held = []
    with write_pieces(table) as write:
        for piece in _sorted_records(sources, rank):
            write(piece)
            held.append(_compact(piece, slice.sources))
    return joined(held)


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
        A table is missing, a record was lost, folds are asked of a source without them, or the query names a column
        that no source has or leaves nothing.
    """
    with tempfile.TemporaryDirectory() as scratch:
        table, ledger = Path(scratch) / "records.parquet", SortedLedger()
        records = build_manifest(slice, results, table, ledger)
        recordings = ShardRecordings(records, results / "preprocess")
        records = records.drop(columns=_PLACE)
        at_least = slice.manifest.duplicate_correlation
        pairs = duplicate_pairs(records, recordings, duplicate_correlation=at_least, workers=workers)
        if slice.manifest.duplicates == "move" and any(pair["crosses"] for pair in pairs):
            records, pairs, moved = move_clusters(records, pairs)
            logger.info("manifest: %d records moved to the split of their duplicates", len(moved))
            ledger.add(moved)
        content = audit(records, pairs)
        content["patient_overlap"] = _patients(table, set(content["patient_overlap"]))
        content["data_hash"] = data_hash_of_pieces(_with_splits(table, records["split"]))
        ledger.write(output / "ledger.parquet")
        write_json(output / "audit.json", content)
        if content["passed"]:
            with write_pieces(output / "records.parquet") as write:
                for piece in _with_splits(table, records["split"]):
                    write(piece)
        else:
            (output / "records.parquet").unlink(missing_ok=True)
    return content


def _with_splits(table: Path, splits: pd.Series) -> Iterator[pd.DataFrame]:
    """Rows of `records.parquet` as they are split in the end, in pieces."""
    for piece in table_pieces(table, RECORD_COLUMNS):
        yield piece.assign(split=splits.iloc[piece.index].astype("str"))


def _patients(table: Path, wanted: set[int]) -> list[str]:
    """Names of the patients with these hashes, sorted."""
    if not wanted:
        return []
    named = (piece["patient_id"] for piece in table_pieces(table, ["patient_id"]))
    return sorted({patient for piece in named for patient in piece[np.isin(hashes(piece), list(wanted))]})
