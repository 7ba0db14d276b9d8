"""A `.npy` of signals that grows record by record, so that no shard has to fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ecglfm.provenance import atomic


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
    n_rows : int
        Rows written so far: the offset of the next record.
    """

    def __init__(self, file: BinaryIO, n_columns: int) -> None:
        self._file, self._n_columns, self.n_rows = file, n_columns, 0
        self._write_header()

    def _write_header(self) -> None:
        # NumPy pads the header so that the first axis can grow in place.
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.int16)), "fortran_order": False}
        np.lib.format.write_array_header_1_0(self._file, header | {"shape": (self.n_rows, self._n_columns)})

    def append(self, content: bytes) -> None:
        """Append the C-order bytes of an int16 array `(n_samples, n_columns)`."""
        self._file.write(content)
        self.n_rows += len(content) // (2 * self._n_columns)

    def close(self) -> None:
        """Write the final length; the file stays open."""
        self._file.seek(0)
        self._write_header()


@contextmanager
def array_writer(path: Path, n_columns: int) -> Iterator[ArrayWriter]:
    """Write a `.npy` of int16 `(rows, n_columns)` piece by piece, atomically."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        writer = ArrayWriter(file, n_columns)
        yield writer
        writer.close()
