"""One big array of many recordings, read by its rows: .npy, a data set of HDF5, a column of Parquet, an array of Zarr.

An array is named by its file, and what it is called in there behind a `#`: `ecg.npy`, `ecg.h5#group/ecg`,
`ecg.parquet#signal`, `ecg.zarr#group/ecg`; the name may be left out where the file holds one. No more of it is read
than the row that is asked for, or the row group or chunks that this is in.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ecglfm.records import RecordError
from ecglfm.sources.arrays.hdf5 import Hdf5File
from ecglfm.sources.arrays.npy import Array, read_npy_header, read_numbers
from ecglfm.sources.arrays.rows import Rows, as_text
from ecglfm.sources.arrays.zarr_rows import ZarrRows
from ecglfm.sources.inside import Root

_MAX_GROUP = 1 << 30  # bytes of a row group that are held


def open_rows(root: Root, name: str) -> Rows:
    """The array of that name.

    Parameters
    ----------
    root : Root
    name : str
        `FILE` or `FILE#NAME`, relative to the root.

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing`, `signal_unreadable`, `signal_truncated`.
    """
    file, _, inner = name.partition("#")
    ending = Path(file).suffix.lower()
    if ending not in KINDS:
        raise RecordError("signal_unreadable", f"{file}: none of {' '.join(KINDS)}")
    return KINDS[ending](root, file, inner)


class _Npy(Rows):
    """Rows of a .npy file, which has no other array."""

    def __init__(self, root: Root, file: str, inner: str) -> None:
        if inner:
            raise RecordError("signal_missing", f"{file}#{inner}: a .npy file holds one array, without a name")
        self._root, self._name = root, file
        with self._file() as (_, array):
            self.shape = array.shape

    @contextmanager
    def _file(self, name: str | None = None) -> Iterator[tuple[BinaryIO, Array]]:
        name = name or self._name
        folder, file_name = self._root.split(name)
        with (
            self._root.open(folder, file_name, "signal_missing") as (descriptor, size),
            os.fdopen(descriptor, "rb", closefd=False) as file,
        ):
            yield file, read_npy_header(file, size, name)

    def read(self, row: int) -> np.ndarray:
        with self._file() as (file, array):
            return read_numbers(file, array, self._name, row)

    def ids(self, name: str) -> pa.ChunkedArray:
        """Whole numbers of another .npy file."""
        with self._file(name) as (file, array):
            return as_text(read_numbers(file, array, name), name)


class _Hdf5(Rows):
    """Rows of a data set."""

    def __init__(self, root: Root, file: str, inner: str) -> None:
        self._file = Hdf5File(root, file)
        names = self._file.names()
        if not inner and len(names) != 1:
            raise RecordError("signal_missing", f"{file}: write FILE#NAME with a name of: {' '.join(names[:12])}")
        self._data = self._file.dataset(inner or names[0], "fiu", 3)
        self.shape = self._data.shape

    def read(self, row: int) -> np.ndarray:
        return self._file.read(self._data, row, f"row {row}")

    def ids(self, name: str) -> pa.ChunkedArray:
        """Numbers or strings of another data set of the file."""
        return as_text(self._file.read(self._file.dataset(name, "iuSO", 1), slice(None), name), name)


class _Parquet(Rows):
    """Rows of a column of lists: of samples and leads as one list, or as lists of lists. One row group is held."""

    def __init__(self, root: Root, file: str, inner: str) -> None:
        folder, file_name = root.split(file)
        path = root.resolve(Path(folder, file_name))
        if not path.is_file():
            raise RecordError("signal_missing", f"{file} does not exist")
        self._name = file
        with self._damaged():
            self._file = pq.ParquetFile(path)
            schema = self._file.schema_arrow
        lists = [name for name in schema.names if _depth(schema.field(name).type)[0]]
        if not inner and len(lists) != 1:
            raise RecordError("signal_missing", f"{file}: write FILE#NAME with a column of: {' '.join(lists[:12])}")
        self._column = inner or lists[0]
        if self._column not in lists or not _depth(schema.field(self._column).type)[1]:
            raise RecordError("signal_unreadable", f"{file}: {self._column!r} is no column of lists of numbers")
        groups = [self._file.metadata.row_group(group) for group in range(self._file.num_row_groups)]
        self._ends = list(accumulate(group.num_rows for group in groups))
        self.shape = (self._file.metadata.num_rows,)
        self._held: tuple[int, pa.ChunkedArray] | None = None

    @contextmanager
    def _damaged(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise RecordError("signal_unreadable", f"{self._name}: {str(error).splitlines()[0]}") from None

    def _size(self, group: int) -> int:
        """Bytes that the column of a row group takes in memory: zeros alone are next to none in the file."""
        said = self._file.metadata.row_group(group)
        columns = (said.column(number) for number in range(said.num_columns))
        own = [column for column in columns if column.path_in_schema.split(".")[0] == self._column]
        return sum(max(column.total_uncompressed_size, 8 * column.num_values) for column in own)

    def read(self, row: int) -> np.ndarray:
        group = bisect_right(self._ends, row)
        if self._held is None or self._held[0] != group:
            self._held = None
            if self._size(group) > _MAX_GROUP:
                what = f"row groups of {self._size(group)} bytes; write it with a smaller row_group_size"
                raise RecordError("signal_too_long", f"{self._name}: {what}")
            with self._damaged():
                self._held = group, self._file.read_row_group(group, columns=[self._column])[self._column]
        found = self._held[1][row - (self._ends[group - 1] if group else 0)]
        if not found.is_valid:
            raise RecordError("signal_empty", f"{self._name}: row {row} is null")
        try:
            return np.array(found.as_py() if _depth(found.type)[0] > 1 else found.values, dtype=np.float64)
        except ValueError:
            raise RecordError("shape_unknown", f"{self._name}: row {row}: leads of different lengths") from None

    def ids(self, name: str) -> pa.ChunkedArray:
        """Another column."""
        if name not in self._file.schema_arrow.names:
            raise RecordError("signal_missing", f"{self._name}: no column {name!r}")
        with self._damaged():
            held = self._file.read([name])[name]
        if pa.types.is_floating(held.type):  # pandas makes them of whole numbers where one is missing
            try:
                held = held.cast(pa.int64())
            except pa.ArrowInvalid as error:
                raise RecordError("signal_unreadable", f"{self._name}: {name}: no ids: {error}") from None
        return held.cast(pa.large_string())


def _depth(kind: pa.DataType) -> tuple[int, bool]:
    """How many lists are in each other, and whether numbers are in the innermost."""
    depth = 0
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    return depth, 0 < depth <= 2 and (pa.types.is_floating(kind) or pa.types.is_integer(kind))


#: By the ending of the file.
KINDS: dict[str, type[_Npy] | type[_Hdf5] | type[_Parquet] | type[ZarrRows]] = {
    ".npy": _Npy, ".h5": _Hdf5, ".hdf5": _Hdf5, ".hdf": _Hdf5, ".parquet": _Parquet, ".zarr": ZarrRows,
}  # fmt: skip
