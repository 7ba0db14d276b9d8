"""The manifest: which record belongs to whom and to which split, and what became of every other one.

Splits are by patient. A patient's split depends on the seed and the patient alone, so that records
that are added later never move the ones that are there.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.config import FoldsConfig, ManifestConfig, ManifestSlice, UserError
from ecglfm.data.audit import audit, shard_reader
from ecglfm.provenance import write_json, write_parquet
from ecglfm.records import INDEX_COLUMNS, LEDGER_COLUMNS, SPLITS, ledger_frame, require_columns

logger = logging.getLogger(__name__)

RECORD_COLUMNS = [
    "record_id", "source", "patient_id", "split", "age", "sex", "sampling_rate", "n_samples", "shard", "offset",
    "sha256", "missing_fraction", "flat_leads", "clipped_fraction", "einthoven_residual", "flags",
]  # fmt: skip
_FROM_PREPROCESS = [column for column in RECORD_COLUMNS if column not in {"split", "age", "sex"}]


def hash_fraction(key: str, seed: int) -> float:
    """Map a key to [0, 1), uniformly, by SHA-256 of seed and key: the same on every machine, for ever."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2.0**53


def hash_split(key: str, *, seed: int, valid_fraction: float, test_fraction: float) -> str:
    """Split of a patient (or record): test below `test_fraction`, valid in the next `valid_fraction`, else train."""
    fraction = hash_fraction(key, seed)
    if fraction < test_fraction:
        return "test"
    return "valid" if fraction < test_fraction + valid_fraction else "train"


def _fold_splits(index: pd.DataFrame, source: str, folds: FoldsConfig) -> pd.Series:
    """Split of each record by its native fold; null where the fold is in none of the lists."""
    if index["fold"].isna().all():
        raise UserError(
            f"config.yaml: manifest.folds.{source}: source {source!r} has no folds of its own; "
            "remove this key to split it by the seeded hash of the patient"
        )
    by_fold = {fold: split for split in SPLITS for fold in getattr(folds, split)}
    absent = sorted(set(by_fold) - set(index["fold"].dropna().astype(int)))
    if absent:
        logger.warning("manifest.folds.%s: no record has fold %s", source, ", ".join(map(str, absent)))
    return index["fold"].map(by_fold).astype("str").where(index["fold"].isin(list(by_fold)), None)


def assign_splits(index: pd.DataFrame, source: str, config: ManifestConfig) -> pd.Series:
    """Split of every record of one source.

    Parameters
    ----------
    index : DataFrame
        Index table of the source: `record_id`, `patient_id`, `fold`.
    source : str
    config : ManifestConfig

    Returns
    -------
    Series of str
        `train`, `valid`, `test` or null, on the rows of `index`.

    Raises
    ------
    UserError
        Folds are asked of a source that has none.
    """
    if source in config.folds:
        return _fold_splits(index, source, config.folds[source])
    keys = index["patient_id"] if config.group_by == "patient" else index["record_id"]
    fractions = {"valid_fraction": config.valid_fraction, "test_fraction": config.test_fraction}
    splits = {key: hash_split(key, seed=config.seed, **fractions) for key in keys.unique()}
    return keys.map(splits).astype("str")


def _shard_tables(folder: Path, suffix: str, shards: int | None) -> list[Path]:
    """Tables of a stage's shards; files of an earlier, larger number of shards are passed over."""
    paths = sorted(path for path in folder.glob(f"*{suffix}") if path.name.removesuffix(suffix).isdigit())
    if shards is not None:
        paths = [path for path in paths if int(path.name.removesuffix(suffix)) < shards]
    if not paths or (shards is not None and len(paths) != shards):
        raise UserError(
            f"{folder}: {len(paths)} of {shards or 'the'} shards are there; run the stage {folder.parent.name}"
        )
    return paths


def _read_source(results: Path, source: str, shards: int | None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Index (the columns that matter here), preprocess table and ledger of one source."""
    path = results / "index" / f"{source}.parquet"
    if not path.exists():
        raise UserError(f"{path}: no such file; run the stage index for source {source!r}")
    columns = [column for column in INDEX_COLUMNS if column not in {"path", "codes", "report"}]
    try:
        index = pd.read_parquet(path, columns=columns)
    except (KeyError, ValueError):  # a column is missing (pyarrow's ArrowInvalid is a ValueError)
        index = pd.read_parquet(path)
        require_columns(index, columns, str(path))
    folder = results / "preprocess" / source
    tables = [pd.read_parquet(path) for path in _shard_tables(folder, ".parquet", shards)]
    ledgers = [
        pd.read_parquet(path)
        for stage in ("ingest", "preprocess")
        for path in _shard_tables(results / stage / source, ".ledger.parquet", shards)
    ]
    prepared = pd.concat(tables, ignore_index=True)
    require_columns(prepared, _FROM_PREPROCESS, f"{folder}/*.parquet")
    return index, prepared[_FROM_PREPROCESS], pd.concat(ledgers, ignore_index=True)


def check_nothing_lost(index: pd.DataFrame, prepared: pd.DataFrame, ledger: pd.DataFrame, source: str) -> None:
    """Raise `UserError` unless every row of the index is one record or has one `dropped` row, and nothing else is."""
    dropped = ledger.loc[ledger["action"] == "dropped", "record_id"]
    accounted = pd.concat([prepared["record_id"], dropped])
    known = set(index["record_id"])
    problems = {
        "in neither": sorted(known - set(accounted)),
        "not in the index": sorted(set(accounted) - known),
        "counted twice": sorted(set(accounted[accounted.duplicated()])),
        "twice in the index": sorted(set(index.loc[index["record_id"].duplicated(), "record_id"])),
    }
    found = [f"{len(records)} {word} ({records[0]}, …)" for word, records in problems.items() if records]
    if found:
        raise UserError(
            f"source {source!r}: {len(index)} rows of index, but {len(prepared)} records + {len(dropped)} dropped: "
            f"{'; '.join(found)}; delete its folders under ingest/ and preprocess/ and run again"
        )


def build_manifest(slice: ManifestSlice, results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:  # noqa: A002
    """Join the tables of every source.

    Returns
    -------
    records : DataFrame
        `RECORD_COLUMNS`, sorted by `record_id`.
    ledger : DataFrame
        Every stage's rows, sorted.

    Raises
    ------
    UserError
        A table is missing, a record was lost, or folds are asked of a source without them.
    """
    all_records, all_ledgers = [], [ledger_frame([])]
    for source in slice.sources:
        index, prepared, ledger = _read_source(results, source, slice.shards.get(source))
        check_nothing_lost(index, prepared, ledger, source)
        people = index[["record_id", "age", "sex"]].assign(split=assign_splits(index, source, slice.manifest))
        all_records.append(prepared.merge(people, on="record_id", validate="one_to_one"))
        all_ledgers.append(ledger)
    records = pd.concat(all_records, ignore_index=True)[RECORD_COLUMNS]
    records = records.astype({"split": "str", "sex": "str", "age": "float64"})
    ledger = pd.concat(all_ledgers, ignore_index=True)[list(LEDGER_COLUMNS)].astype("str")
    records = records.sort_values("record_id", ignore_index=True)
    return records, ledger.sort_values(list(LEDGER_COLUMNS), ignore_index=True)


def run_manifest(slice: ManifestSlice, results: Path, output: Path) -> dict[str, Any]:  # noqa: A002
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
    content = audit(
        records,
        shard_reader(records, results / "preprocess"),
        duplicate_correlation=slice.manifest.duplicate_correlation,
    )
    write_parquet(output / "ledger.parquet", ledger)
    write_json(output / "audit.json", content)
    if content["passed"]:
        write_parquet(output / "records.parquet", records)
    else:
        (output / "records.parquet").unlink(missing_ok=True)
    return content
