"""Arrays of some numbers per record in temporary files that are mapped: the kernel drops what it needs room for."""

from __future__ import annotations

import tempfile

import numpy as np


class MappedArray:
    """An array that is appended to, and then read.

    Parameters
    ----------
    dtype : dtype
    *shape : int
        Of one element.
    """

    def __init__(self, dtype: np.typing.DTypeLike, *shape: int) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (the mapping keeps it)
        self._dtype, self._shape, self._length = np.dtype(dtype), shape, 0

    def append(self, values: np.ndarray) -> None:
        """Add elements at the end."""
        self._file.write(np.ascontiguousarray(values, self._dtype).tobytes())
        self._length += len(values)

    def array(self) -> np.ndarray:
        """All of them, for reading; nothing can be appended any more."""
        self._file.flush()
        shape = (self._length, *self._shape)
        if not self._length:
            return np.empty(shape, self._dtype)
        return np.memmap(self._file, self._dtype, "r", shape=shape).view(np.ndarray)
