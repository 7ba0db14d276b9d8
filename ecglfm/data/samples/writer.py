"""A `.npy` of signals that grows record by record, so that no shard has to fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ecglfm.config import UserError
from ecglfm.lock import is_still
from ecglfm.provenance import atomic, try_lock

HEADER_BYTES = 128  # of a NumPy header of format 1.0 with a short shape; NumPy pads it so that it can grow in place


class ArrayWriter:
    """Appends rows of int16 to an open `.npy` whose length is known only at the end.

    Parameters
    ----------
    file : binary file
        Open for writing, at its start.
    n_columns : int
        Leads.

    Attributes
    ----------
    path : path
        The file, under its temporary name.
    n_rows : int
        Rows written so far: the offset of the next record. A caller whose workers use `write_rows` counts them here.
    """

    def __init__(self, file: BinaryIO, n_columns: int) -> None:
        self._file, self._n_columns, self.n_rows = file, n_columns, 0
        self.path = Path(file.name)
        self._write_header()

    def _write_header(self) -> None:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.int16)), "fortran_order": False}
        np.lib.format.write_array_header_1_0(self._file, header | {"shape": (self.n_rows, self._n_columns)})
        assert self._file.tell() == HEADER_BYTES
        self._file.flush()

    def append(self, content: bytes) -> None:
        """Append the C-order bytes of an int16 array `(n_samples, n_columns)`."""
        self._file.write(content)
        self.n_rows += len(content) // (2 * self._n_columns)

    def close(self) -> None:
        """Write the final length; the file stays open."""
        self._file.seek(0)
        self._write_header()


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Keep other processes from writing a shard, its signals and the tables beside them, at the same time.

    What a run that was killed has left of them is removed first: it may be as large as the shard.

    Raises
    ------
    UserError
        Another process writes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.stem}.lock")
    with _locked(lock, path):
        for leftover in path.parent.glob(f".{path.stem}.*.tmp.*"):
            leftover.unlink(missing_ok=True)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _locked(lock: Path, path: Path) -> BinaryIO:
    """The open file of a lock that this process has, and whose name is still its own.

    Between our opening it and our locking it the process that had it may have ended, and removed it: then the next one
    makes, and locks, another file of this name.
    """
    while True:
        file = lock.open("wb")
        if not try_lock(file):
            file.close()
            raise UserError(f"{path}: another process writes this shard; wait for it, or end it")
        if is_still(file, lock):
            return file
        file.close()


@contextmanager
def array_writer(path: Path, n_columns: int) -> Iterator[ArrayWriter]:
    """Write a `.npy` of int16 `(rows, n_columns)` piece by piece, atomically; see `sole_writer`."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        writer = ArrayWriter(file, n_columns)
        yield writer
        writer.close()


def write_rows(path: Path, first_row: int, arrays: Sequence[np.ndarray]) -> None:
    """Write arrays one after the other into a `.npy` that an `ArrayWriter` has open, from any process.

    Parameters
    ----------
    path : path
        `ArrayWriter.path`.
    first_row : int
        Row of the first array's first sample.
    arrays : sequence of ndarray of int16, each (n_samples, n_columns) in C order
    """
    if not arrays:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        position = HEADER_BYTES + first_row * arrays[0].strides[0]
        for array in arrays:
            content = array.reshape(-1).view(np.uint8).data
            while content:
                done = os.pwrite(descriptor, content, position)
                content, position = content[done:], position + done
    finally:
        os.close(descriptor)
