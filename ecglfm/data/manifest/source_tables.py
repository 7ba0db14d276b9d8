"""What the stages before the manifest said of one source's records, joined by id, some thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ecglfm.config import ManifestConfig, UserError
from ecglfm.data.manifest.splits import assign_splits, splits_of_folds
from ecglfm.data.manifest.stratify import SourceLabels
from ecglfm.data.tables import shard_tables, sorted_pieces, table_pieces
from ecglfm.records import LEDGER_COLUMNS, require_columns
from ecglfm.sources.tables import merge_join


class _Accounts:
    """Whether every record id of the index is one prepared or one dropped, and no other id is."""

    def __init__(self) -> None:
        self._rows = [0, 0, 0]
        self._problems = dict.fromkeys(("in neither", "not in the index", "counted twice", "twice in the index"), 0)
        self._examples: dict[str, str] = {}

    def add(self, index: pa.Table, prepared: pa.Table, dropped: pa.Table) -> bool:
        """Count the rows with some ids, all that there are of them; whether they are in order."""
        parts = [table["record_id"].to_pandas() for table in (index, prepared, dropped)]
        self._rows = [number + len(part) for number, part in zip(self._rows, parts, strict=True)]
        codes, ids = pd.factorize(pd.concat(parts, ignore_index=True))
        indexed = np.bincount(codes[: len(index)], minlength=len(ids))
        accounted = np.bincount(codes[len(index) :], minlength=len(ids))
        for word, bad in zip(self._problems, (accounted == 0, indexed == 0, accounted > 1, indexed > 1), strict=True):
            if bad.any():
                self._problems[word] += int(bad.sum())
                self._examples.setdefault(word, min(ids[bad]))  # ids come in order
        return bool((indexed == 1).all() and (accounted == 1).all())

    def check(self, source: str) -> None:
        """Raise `UserError` unless all that was counted is in order."""
        found = [f"{number} {word} ({self._examples[word]}, …)" for word, number in self._problems.items() if number]
        if found:
            index, prepared, dropped = self._rows
            raise UserError(
                f"source {source!r}: {index} rows of index, but {prepared} records + {dropped} dropped: "
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

    Attributes
    ----------
    of_patients : mapping or None
        Split of each patient, where neither folds nor the hash decide; to be set.

    Raises
    ------
    UserError
        A table or a column is missing.
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
        self._config, self._about, self._fold = config, about, fold
        self.of_patients: Mapping[str, str] | None = None

    def _of_index(self, labels: SourceLabels | None) -> Iterator[pa.Table]:
        """What the index says of each record, and its split, by id."""
        of_folds = None
        if self._fold is not None:
            values = [piece[self._fold].drop_duplicates() for piece in table_pieces(self._index, [self._fold])]
            folds = self._config.folds[self.source]
            of_folds = splits_of_folds(pd.concat(values).drop_duplicates(), self.source, folds)
        more = [*([self._fold] if self._fold else []), *(labels.columns if labels else [])]
        read = sorted({"record_id", "patient_id", *self._about, *more})

        def rows() -> Iterator[pd.DataFrame]:
            for piece in table_pieces(self._index, read):
                splits = assign_splits(piece, self.source, self._config, of_folds, self.of_patients)
                said = piece[["record_id", *self._about]].assign(split=splits)
                yield said if labels is None else pd.concat([said, labels.of(piece)], axis=1)

        return sorted_pieces(rows(), "record_id")

    def __len__(self) -> int:
        """Rows of the index."""
        return int(pq.read_metadata(self._index).num_rows)

    def people(self, labels: SourceLabels | None = None) -> Iterator[pd.DataFrame]:
        """Yield the prepared records by id: columns of the preprocess tables, then the index's and `split`.

        Parameters
        ----------
        labels : SourceLabels, optional
            Whose columns follow.

        Raises
        ------
        UserError
            A record is lost or counted twice; after the last one.
        """
        prepared = sorted_pieces(
            (piece for path in self._tables for piece in table_pieces(path, self._columns)), "record_id"
        )
        dropped = sorted_pieces((ids for path in self._ledgers for ids in _dropped(path)), "record_id")
        accounts = _Accounts()
        for index, some, out in merge_join([self._of_index(labels), prepared, dropped], "record_id"):
            if accounts.add(index, some, out):
                rows = pc.index_in(some["record_id"], index["record_id"].combine_chunks())
                about = index.drop_columns("record_id").take(rows)
                yield pd.concat([some.to_pandas(), about.to_pandas()], axis=1)
        accounts.check(self.source)

    def ledgers(self) -> Iterator[pd.DataFrame]:
        """Yield the rows of the ledgers in pieces."""
        for path in self._ledgers:
            yield from table_pieces(path, list(LEDGER_COLUMNS))


def _dropped(path: Path) -> Iterator[pd.DataFrame]:
    for piece in table_pieces(path, ["record_id", "action"]):
        yield piece.loc[piece["action"] == "dropped", ["record_id"]]
