"""Label files of the user's own: a CSV by record or patient, with or without fairseq-signals' `y.npy`.

A file is held in memory while a label set is made, of its columns only those that the label set names: some dozen
bytes a row.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.config import LabelFile, UserError
from ecglfm.config.sources import PatientIds
from ecglfm.config.wording import counted
from ecglfm.sources.patients import normal_id
from ecglfm.sources.tables import fail_at, number_column, read_pieces, read_table, row_number

logger = logging.getLogger(__name__)

AS_WRITTEN = PatientIds()
_LONGEST = 1000  # characters of an id
#: Column of `FileTable.rows` with the row of the file, from 0; null where the file has none.
ROW = "row of the file"


def file_columns(config: LabelFile) -> list[str]:
    """Names of the columns that a label file offers: those of the CSV, then those of `y.npy`.

    Raises
    ------
    UserError
        A file is missing or not readable, or has a column twice.
    """
    header = next(read_pieces(Path(config.path), [config.id_column])).columns.tolist()
    names = _label_names(config)
    twice = sorted(set(header) & set(names))
    if twice:
        raise UserError(f"{config.label_def}: {twice[0]!r} is a column of {config.path}, too; rename one of them")
    return header + names


def _label_names(config: LabelFile) -> list[str]:
    """Names of the columns of `y.npy`."""
    if config.label_def is None:
        return []
    table = read_table(Path(config.label_def), [])
    written = table["name" if "name" in table.columns else table.columns[0]]
    names = written.str.strip()
    fail_at(Path(config.label_def), names.isna() | names.duplicated(), "a label needs a name of its own", written)
    return names.tolist()


class FileTable:
    """Some columns of a label file, found by the ids of one source.

    Parameters
    ----------
    config : LabelFile
    columns : iterable of str
        Columns to hold, of those that `file_columns` gives.
    source : str
        Source whose records are asked for: ids may stand with or without its name before them.
    others : iterable of str
        Other sources that the same file may name.
    patient_ids : PatientIds
        How the source's index took ids of patients, which those of a file `by: patient_id` are taken by, too.

    Raises
    ------
    UserError
        A file is not usable, an id is missing, or stands twice with different values.
    """

    def __init__(
        self,
        config: LabelFile,
        columns: Iterable[str],
        source: str,
        others: Iterable[str] = (),
        patient_ids: PatientIds = AS_WRITTEN,
    ) -> None:
        self.config, self._source = config, source
        by_patient = config.by == "patient_id"
        self._owner = (patient_ids.of if by_patient else None) or source  # whose name stands before ids of the index
        elsewhere = tuple(f"{other}/" for other in others if other not in {source, self._owner})
        self._others = tuple(prefix.encode() for prefix in elsewhere)
        path, names = Path(config.path), _label_names(config)
        wanted = list(dict.fromkeys(columns))
        own = [column for column in wanted if column not in names]
        rows = [config.row] if config.y_npy is not None else []
        ids, tables = [], []
        for piece in read_pieces(path, list({config.id_column, *own, *rows}), list({config.id_column, *own, *rows})):
            text = piece[config.id_column].str.strip().replace("", None)
            fail_at(path, text.isna(), f"{config.id_column} is empty", piece[config.id_column])
            long = text.str.len() > _LONGEST
            fail_at(path, long, f"{config.id_column} is longer than {_LONGEST} characters", piece[config.id_column])
            if by_patient and (patient_ids.normalise or patient_ids.of):
                bare = text.str.removeprefix(f"{source}/").str.removeprefix(f"{self._owner}/")
                text = text.where(text.str.startswith(elsewhere), bare.map(lambda one: normal_id(one, patient_ids)))
            ids.append(_keys(text))
            held = {column: piece[column] for column in own}
            if config.y_npy is not None:
                held |= self._labels(piece, path, names, [column for column in wanted if column in names])
            held[ROW] = pd.Series(piece.index, piece.index)
            tables.append(pa.Table.from_pandas(pd.DataFrame(held), preserve_index=False))
        keys = np.concatenate(ids)
        order = np.argsort(keys, kind="stable")
        self._keys, self._table = keys[order], pa.concat_tables(tables).combine_chunks().take(pa.array(order))
        self._check_repeats(wanted)
        self._met, self._bare = np.zeros((2, len(self._keys)), bool)
        self._such = ""

    def _labels(self, piece: pd.DataFrame, path: Path, names: list[str], wanted: list[str]) -> dict[str, pd.Series]:
        """Columns of `y.npy` in the rows that a piece of the CSV names."""
        assert self.config.y_npy is not None
        try:
            array = np.load(self.config.y_npy, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise UserError(f"{self.config.y_npy}: no such file") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{self.config.y_npy}: not an array of numbers that can be read: {error}") from None
        if array.dtype.kind not in "biuf" or array.ndim != 2 or array.shape[1] != len(names):
            raise UserError(
                f"{self.config.y_npy}: is {array.dtype} {array.shape}, and {self.config.label_def} names "
                f"{counted(len(names), 'column')}"
            )
        rows = number_column(piece, self.config.row, path, integer=True, required=True).astype("int64")
        fail_at(
            path,
            rows >= len(array),
            f"{self.config.row}: {self.config.y_npy} has {counted(len(array), 'row')}",
            piece[self.config.row],
        )
        found = array[rows.to_numpy()]
        return {name: pd.Series(found[:, names.index(name)].astype(np.float64), piece.index) for name in wanted}

    def _check_repeats(self, columns: list[str]) -> None:
        """Raise where an id stands twice and the rows differ; alike ones, as of two segments of a record, are one."""
        again = np.flatnonzero(self._keys[1:] == self._keys[:-1])
        if not len(again):
            return
        first, second = (self._table.select(columns).take(pa.array(again + step)).to_pandas() for step in (0, 1))
        same = (first.eq(second) | (first.isna() & second.isna())).all(axis=1).to_numpy(bool)
        if not same.all():
            number = int(again[~same][0])
            a, b = (row_number(Path(self.config.path), self._table[ROW][number + step].as_py()) for step in (0, 1))
            raise UserError(
                f"{self.config.path}: {self._keys[number].decode()!r} stands in rows {a} and {b} with different "
                f"values; {int((~same).sum())} such repeats in all; keep one row of each {self.config.id_column}"
            )

    def rows(self, index: pd.DataFrame, by: str) -> pd.DataFrame:
        """The file's columns and `ROW` for rows of an index, null where it has none.

        Parameters
        ----------
        index : DataFrame
        by : str
            Column of the index that the file's ids are.
        """
        prefix = f"{self._owner}/"
        whole = index[by].astype("str")
        found = self._find(_keys(whole))
        if by in {"record_id", "patient_id"}:
            bare = self._find(_keys(whole.str.removeprefix(prefix)))
            self._bare[bare[(found < 0) & (bare >= 0)]] = True
            found = np.where(found >= 0, found, bare)
        found = np.where(index[by].isna(), -1, found)
        self._met[found[found >= 0]] = True
        self._such = self._such or next(iter(whole[index[by].notna()]), "")
        taken = self._table.take(pa.array(found, mask=found < 0))
        return taken.to_pandas().set_axis(index.index)

    def _find(self, keys: np.ndarray) -> np.ndarray:
        """Position of each key, -1 where it is not there."""
        if not len(self._keys):
            return np.full(len(keys), -1)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, at, -1)

    def bare(self) -> np.ndarray:
        """Ids without a source's name before them that were asked for, so far; none where they are another source's."""
        return np.unique(self._keys[self._bare & (self._owner == self._source)])

    def warn_unknown(self) -> None:
        """Warn, in one line, of ids that no row of the index has had; to be called when all have been asked for."""
        keys = np.unique(self._keys[~np.isin(self._keys, self._keys[self._met])])
        unknown = [key for key in keys.tolist() if not key.startswith(self._others)]
        if unknown:
            logger.warning(
                "%s: %d ids are no %s of source %s, the first: %s; one of its own: %s",
                self.config.path, len(unknown), self.config.by, self._source, unknown[0].decode(), self._such,
            )  # fmt: skip

    def place(self, row: int) -> str:
        """File and row as a spreadsheet shows it, for a message."""
        return f"{self.config.path}: row {row_number(Path(self.config.path), row)}"


def _keys(text: pd.Series) -> np.ndarray:
    """Ids as bytes, `7.0` as `7`: a table through pandas may have made numbers of them; one that is too long is empty.

    All take as much room as the longest one.
    """
    values = pc.utf8_trim_whitespace(pa.array(text, pa.large_string()))
    values = pc.replace_substring_regex(values, r"^(\d+)\.0+$", r"\1")
    texts = values.to_pylist()
    return np.array([text.encode() if text is not None and len(text) <= _LONGEST else b"" for text in texts], "S")
