"""What one big array of many recordings offers, whatever file it is in (`ecglfm.sources.arrays.open_rows`)."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pyarrow as pa

from ecglfm.records import MAX_SAMPLES, RecordError


class Rows(ABC):
    """The rows of an array.

    Attributes
    ----------
    shape : tuple of int
        (n, …); of what lies behind n only what the file says without its numbers being read.
    """

    shape: tuple[int, ...]

    @abstractmethod
    def read(self, row: int) -> np.ndarray:
        """The numbers of a row, from 0, which is there; raises `RecordError` where they cannot be read."""

    @abstractmethod
    def ids(self, name: str) -> pa.ChunkedArray:
        """What the file has under another name, a value per row, as text; raises `RecordError`."""


def as_text(values: np.ndarray, name: str) -> pa.ChunkedArray:
    """Ids as text: whole numbers, or strings, which HDF5 has as bytes."""
    if values.ndim != 1 or values.dtype.kind not in "iuSO" or len(values) > MAX_SAMPLES:
        raise RecordError("signal_unreadable", f"{name}: {values.dtype} {values.shape} are no ids, one a recording")
    if values.dtype.kind in "iu":
        own = values.astype(values.dtype.newbyteorder("="))  # Arrow reads no other order of bytes
        return pa.chunked_array([pa.array(own).cast(pa.large_string())])
    texts = (one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values)
    return pa.chunked_array([pa.array(texts, pa.large_string())])
