"""The tables that every stage shares: their columns, and the hash of what a model sees of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import UserError
from ecglfm.provenance import read_json

#: Columns of `index/{source}.parquet`; the database's own columns follow as `native.{column}`.
#: `codes` is a list of {code, likelihood}; `fold` is the database's own fold or null.
INDEX_COLUMNS = ("record_id", "source", "patient_id", "path", "age", "sex", "fold", "codes", "report")

#: Columns of `ledger.parquet`; exactly one `dropped` row per dropped record.
LEDGER_COLUMNS = ("source", "record_id", "stage", "action", "reason", "detail")

SPLITS = ("train", "valid", "test")


def ledger_frame(rows: list[dict[str, str]]) -> pd.DataFrame:
    """A ledger table of the given rows: text columns in the standard order, also when empty."""
    return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS)).astype("str")


#: Columns of the manifest that `data_hash` is of.
HASHED = ["record_id", "patient_id", "split", "sampling_rate", "n_samples", "sha256"]


def data_hash(records: pd.DataFrame) -> str:
    """SHA-256 of what a model sees of these records: who, which split or fold, which samples; not where they lie."""
    return data_hash_of_pieces([records.sort_values("record_id")])


def data_hash_of_pieces(pieces: Iterable[pd.DataFrame]) -> str:
    """`data_hash` of a table in pieces, sorted by `record_id`."""
    digest = hashlib.sha256()
    for number, piece in enumerate(pieces):
        hashed = piece[HASHED].assign(split=places(piece))
        digest.update(hashed.to_csv(index=False, header=number == 0).encode())
    return digest.hexdigest()


def manifest_hash(manifest: Path) -> str | None:
    """`data_hash` of all records of `manifest/records.parquet`, as the audit beside it says; None without one."""
    audit = manifest.with_name("audit.json")
    return read_json(audit).get("data_hash") if audit.is_file() else None


def read_folds(manifest: Path) -> dict[str, int]:
    """Number of folds of each source that `manifest/records.parquet` cross-validates."""
    metadata = pq.read_metadata(manifest).metadata or {}
    return dict(json.loads(metadata.get(b"folds", b"{}")))


def places(records: pd.DataFrame) -> pd.Series:
    """Where records stand: in a split, or in a fold of a cross-validation (`fold 2`), which none may share."""
    if "fold" not in records:
        return records["split"]
    folds = "fold " + records["fold"].astype("Int64").astype("string")
    return records["split"].astype("object").mask(records["fold"].notna(), folds.astype("object"))


def require_columns(frame: pd.DataFrame, columns: list[str], where: str) -> None:
    """Raise `UserError` naming the file and the first missing column."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise UserError(
            f"{where}: column {missing[0]!r} is missing; the file has: {', '.join(map(str, frame.columns[:12]))}"
        )
