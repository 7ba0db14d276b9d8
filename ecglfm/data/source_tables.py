"""What the stages before the manifest said of one source's records, joined without holding their texts.

Of a row of the index 16 bytes are held by which it is found, and the columns that splits and query need, texts as
categories. The tables of the shards are read in pieces, as often as needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pandas.api.types import union_categoricals

from ecglfm.config import ManifestConfig, UserError
from ecglfm.data.pieces import hashes, joined, table_pieces
from ecglfm.data.splits import assign_splits
from ecglfm.records import LEDGER_COLUMNS, SPLITS, require_columns


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


def check_nothing_lost(index: pd.Series, prepared: pd.Series, dropped: pd.Series, source: str) -> None:
    """Raise `UserError` unless every record id of the index is one prepared or one dropped, and no other id is."""
    codes, ids = pd.factorize(pd.concat([index, prepared, dropped], ignore_index=True))
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


class SourceTables:
    """Index, preprocess tables and ledgers of one source.

    Parameters
    ----------
    results : path
        Holds `index/`, `ingest/` and `preprocess/`.
    source : str
    config : ManifestConfig
    columns : list of str
        Of the preprocess tables.
    about : list of str
        Columns of the index to join to them.
    fold : str or None
        The index's column that splits the source; None: the hash of its patients does.
    shards : int or None
        How many there are; None: all that are found.

    Raises
    ------
    UserError
        A table or a column is missing, or a record is lost or counted twice.
    """

    def __init__(
        self,
        results: Path,
        source: str,
        config: ManifestConfig,
        *,
        columns: list[str],
        about: list[str],
        fold: str | None,
        shards: int | None,
    ) -> None:
        self.source, self._columns = source, columns
        self._index = results / "index" / f"{source}.parquet"
        folder = results / "preprocess" / source
        self._tables = shard_tables(folder, ".parquet", shards)
        stages = [results / stage / source for stage in ("ingest", "preprocess")]
        self._ledgers = [path for stage in stages for path in shard_tables(stage, ".ledger.parquet", shards)]
        for path in self._tables:
            require_columns(pd.DataFrame(columns=pq.read_schema(path).names), columns, f"{folder}/*.parquet")
        self._read_index(config, about, fold)
        self._check_nothing_lost()

    def _read_index(self, config: ManifestConfig, about: list[str], fold: str | None) -> None:
        read = sorted({"record_id", "patient_id", *about, *([fold] if fold else [])})
        ids, splits, held = [], [], []
        for piece in table_pieces(self._index, read):
            ids.append(hashes(piece["record_id"]))
            if fold is None:
                splits.append(assign_splits(piece, self.source, config))
            held.append(_compact(piece[list({*about, *([fold] if fold else [])})]))
        self._about = joined(held)
        if fold is not None:
            values = self._about[fold]
            of_category = isinstance(values.dtype, pd.CategoricalDtype)
            texts = values.astype(values.cat.categories.dtype) if of_category else values
            splits.append(assign_splits(texts.to_frame(), self.source, config))
            self._about = self._about[about]
        self._about["split"] = union_categoricals([pd.Categorical(part, list(SPLITS)) for part in splits])
        self._ids = np.concatenate(ids)
        self._order = np.argsort(self._ids)
        self._ids = self._ids[self._order]

    def _places(self, record_ids: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Places of records among the sorted hashes, and whether they are really there."""
        wanted = hashes(record_ids)
        places = np.minimum(np.searchsorted(self._ids, wanted), max(len(self._ids) - 1, 0))
        return places, self._ids[places] == wanted if len(self._ids) else np.zeros(len(wanted), bool)

    def _check_nothing_lost(self) -> None:
        """See `check_nothing_lost`, which says what is wrong where something is."""
        accounted, sound = np.zeros(len(self._ids), np.int32), True
        for ids in self._accounted():
            places, found = self._places(ids)
            np.add.at(accounted, places[found], 1)
            sound = sound and bool(found.all())
        if not (sound and (accounted == 1).all() and (self._ids[1:] != self._ids[:-1]).all()):
            index = pd.read_parquet(self._index, columns=["record_id"])["record_id"]
            prepared = pd.concat([ids for path in self._tables for ids in _record_ids(path)])
            dropped = pd.concat([ids for path in self._ledgers for ids in _dropped(path)])
            check_nothing_lost(index, prepared, dropped, self.source)

    def _accounted(self) -> Iterator[pd.Series]:
        for path in self._tables:
            yield from _record_ids(path)
        for path in self._ledgers:
            yield from _dropped(path)

    def __len__(self) -> int:
        """Rows of the index."""
        return len(self._ids)

    def people(self, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the prepared records in pieces: columns of the preprocess tables, then the index's and `split`."""
        for path in self._tables:
            for piece in table_pieces(path, columns or self._columns):
                rows = self._order[self._places(piece["record_id"])[0]]
                about = self._about.iloc[rows].set_axis(piece.index)
                texts = {name: kind.categories.dtype for name, kind in about.dtypes.items() if _categories(kind)}
                yield pd.concat([piece, about.astype(texts)], axis=1)

    def ledgers(self) -> Iterator[pd.DataFrame]:
        """Yield the rows of the ledgers in pieces."""
        for path in self._ledgers:
            yield from table_pieces(path, list(LEDGER_COLUMNS))


def _record_ids(path: Path) -> Iterator[pd.Series]:
    return (piece["record_id"] for piece in table_pieces(path, ["record_id"]))


def _dropped(path: Path) -> Iterator[pd.Series]:
    pieces = table_pieces(path, ["record_id", "action"])
    return (piece.loc[piece["action"] == "dropped", "record_id"] for piece in pieces)


def _categories(kind: object) -> bool:
    return isinstance(kind, pd.CategoricalDtype)


def _compact(frame: pd.DataFrame) -> pd.DataFrame:
    """Texts as categories."""
    return frame.astype({name: "category" for name, kind in frame.dtypes.items() if isinstance(kind, pd.StringDtype)})
