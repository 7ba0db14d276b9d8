"""One big array with a table: a lab's own export, read where it lies and never copied into files first.

The config declares what the array does not say: `array`, where it is (`ecglfm.sources.arrays.open_rows`); `axes`, the
order of its dimensions, which is never guessed, not even where only one would fit; `sampling_rate`, `file_leads`,
`unit`. A row of `table` is a recording. Its `path` says which row of the array it is: the number, from 0, or, with
`ids`, the id that stands there under this name. Recordings are in the order of the array, so that this is read from
front to back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.config import SourceConfig, UserError
from ecglfm.config.wording import counted
from ecglfm.records import MAX_SAMPLES, Record, RecordError, normalize_lead
from ecglfm.sources.arrays import Rows, open_rows
from ecglfm.sources.base import Source
from ecglfm.sources.folders.numpy_folder import MILLIVOLTS
from ecglfm.sources.tables import Sorter, table_pieces, to_frame, to_table

logger = logging.getLogger(__name__)

_POINT_ZERO = r"^(\d+)\.0+$", r"\1"  # a table through pandas may have made numbers of ids
_NOWHERE = 1 << 62  # the row of a recording that the array does not have: the last ones


class ArrayFolder(Source):
    """An array as the module's docstring says; native id: `record_id` of the table, or what its `path` says."""

    def __init__(self, name: str, root: str | Path, config: SourceConfig) -> None:
        super().__init__(name, root, config)
        self._open: Rows | None = None

    def _rows(self) -> Rows:
        """The array, held against what the config says of it; raises `RecordError`."""
        if self._open is None:
            assert self.config.array is not None  # the config says so
            rows = open_rows(self._inside, self.config.array)
            if len(rows.shape) != 1:  # the file itself says its dimensions
                self._check_shape(rows.shape)
            self._open = rows
        return self._open

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        axes, n_leads = self.config.axes, len(self.config.file_leads)
        if len(shape) != len(axes):
            raise RecordError("shape_unknown", f"{self.config.array}: {shape} is not ({', '.join(axes)})")
        if shape[axes.index("lead")] != n_leads:
            raise RecordError(
                "shape_unknown",
                f"{self.config.array}: {shape} is ({', '.join(axes)}) by `axes`, but `file_leads` are {n_leads}",
            )

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per row of the table, in the order of the array; see `Source.pieces`.

        Recordings that the array does not have are the last. How many of its rows no row of the table names is
        told in a warning.

        Raises
        ------
        UserError
            The table cannot be read, the array is not as the config says, or an id stands twice in it.
        """
        (path,) = self.tables()
        held, ids = self._opened()
        sorter, named = Sorter("row"), np.zeros(held, bool)
        for index in table_pieces(self.name, path, self.config.columns, ()):
            row = _numbers(index, path) if ids is None else _places(index["path"], ids)
            index["path"] = [
                f"{self.config.array}#{number}" if number < held else f"{self.config.array}#{text}?"
                for number, text in zip(row, index["path"], strict=True)
            ]
            row[row >= held] = _NOWHERE
            named[row[row < held]] = True
            sorter.add(to_table(index.assign(row=row)))
        for table in sorter.tables():
            yield to_frame(table.drop_columns("row"))
        if not named.all():
            others = np.flatnonzero(~named)
            logger.warning(
                "%s: %s, the first: %d",
                path, counted(
                    len(others),
                    f"row of {self.config.array} is in no row of it and is not used",
                    f"rows of {self.config.array} are in no row of it and are not used",
                ), others[0],
            )  # fmt: skip

    def _opened(self) -> tuple[int, pa.ChunkedArray | None]:
        """How many rows the array has, and their ids, if the config names some; raises `UserError`."""
        try:
            rows = self._rows()
            if len(rows.shape) == 1 and rows.shape[0]:  # of lists, which are looked at before all of them are refused
                self._samples_first(rows.read(0), "0")
            ids = (
                None if self.config.ids is None else pc.replace_substring_regex(rows.ids(self.config.ids), *_POINT_ZERO)
            )
        except RecordError as error:
            raise UserError(f"source {self.name}: `array: {self.config.array}`: {error}") from None
        if ids is not None:
            _check_ids(ids, rows.shape[0], f"source {self.name}: {self.config.array}: {self.config.ids}")
        return rows.shape[0], ids

    def read(self, path: str) -> Record:
        """Read the row at `{array}#{row}`; NaN and infinite samples count as missing.

        Raises
        ------
        RecordError
            `signal_missing`: the array has no such row, or no such id; `shape_unknown`, `signal_empty`,
            `signal_too_long`, `signal_truncated`, `signal_unreadable`, `path_outside_root`.
        """
        rows, row = self._rows(), path.rpartition("#")[2]
        if not row.isdigit() or int(row) >= rows.shape[0]:
            what = f"{counted(rows.shape[0], 'recording')}, none of them {row.removesuffix('?')!r}"
            raise RecordError("signal_missing", f"{self.config.array} holds {what}")
        if np.prod(rows.shape[1:], dtype=float) > MAX_SAMPLES:
            raise RecordError("signal_too_long", f"{self.config.array}: {rows.shape} are too long for a recording")
        signal = self._samples_first(rows.read(int(row)), row).astype(np.float64) * MILLIVOLTS[self.config.unit]
        signal[~np.isfinite(signal)] = np.nan
        assert self.config.sampling_rate is not None  # the config says so
        return Record(signal, tuple(map(normalize_lead, self.config.file_leads)), self.config.sampling_rate)

    def _samples_first(self, array: np.ndarray, row: str) -> np.ndarray:
        """One row as (samples, leads); one that is a single list is cut as `axes` says."""
        n_leads, leads_first = len(self.config.file_leads), self.config.axes.index("lead") == 1
        if array.size == 0:
            raise RecordError("signal_empty", f"{self.config.array}: row {row} holds no samples")
        if array.ndim == 1 and array.size % n_leads == 0:
            array = array.reshape((n_leads, -1) if leads_first else (-1, n_leads))
        signal = array.T if leads_first else array
        if signal.ndim != 2 or signal.shape[1] != n_leads:
            raise RecordError(
                "shape_unknown", f"{self.config.array}: row {row} is {array.shape}, not of {n_leads} leads"
            )
        return signal


def _numbers(index: pd.DataFrame, path: Path) -> np.ndarray:
    """Rows by their numbers; a `path` that is none raises `UserError`."""
    paths = index["path"]
    odd = np.flatnonzero(~paths.str.fullmatch(r"\d{1,15}(\.0)?"))
    if len(odd):
        record, text = index["record_id"].iloc[odd[0]], paths.iloc[odd[0]]
        raise UserError(f"{path}: {record}: `path` is a row of the array, from 0 (or see `ids`), found {text!r}")
    return paths.str.removesuffix(".0").astype("int64").to_numpy().copy()


def _places(paths: pd.Series, ids: pa.ChunkedArray) -> np.ndarray:
    """Rows by their ids, `7.0` as `7`; `_NOWHERE` of those that are not there."""
    wanted = pc.replace_substring_regex(pa.array(paths, pa.large_string()), *_POINT_ZERO)
    return pc.index_in(wanted, value_set=ids).cast(pa.int64()).fill_null(_NOWHERE).to_numpy(zero_copy_only=False).copy()


def _check_ids(ids: pa.ChunkedArray, held: int, where: str) -> None:
    """Raise `UserError` where ids are not one a row, or one stands twice."""
    if len(ids) != held:
        raise UserError(f"{where}: {counted(len(ids), 'id')}, but {counted(held, 'recording')}")
    counts = pc.value_counts(ids)
    again = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(again):
        raise UserError(
            f"{where}: {again[0]['values'].as_py()!r} stands twice: which recording is meant cannot be said"
        )
