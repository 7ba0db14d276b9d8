"""NumPy's .npy files, read by the recording: no pickle, no memory for a size that only the header claims."""

from __future__ import annotations

import io
import math
import struct
from typing import BinaryIO, NamedTuple

import numpy as np

from ecglfm.config.wording import counted
from ecglfm.records import MAX_SAMPLES, RecordError

_MAX_HEADER = 1 << 16  # bytes; NumPy itself believes the length that a file states
#: Of each version of .npy, how the header's length is stored, and what reads it with the header.
_HEADERS = {
    (1, 0): ("<H", np.lib.format.read_array_header_1_0),
    (2, 0): ("<I", np.lib.format.read_array_header_2_0),
}


class Array(NamedTuple):
    """What the header of a .npy file says; the numbers follow at `start`, in bytes."""

    shape: tuple[int, ...]
    fortran: bool
    kind: np.dtype
    start: int


def read_npy_header(file: BinaryIO, size: int, path: str) -> Array:
    """What the array of a .npy file is.

    Parameters
    ----------
    file : file
        At its beginning.
    size : int
        Of the file in bytes, which the shape is held against.
    path : str
        For messages.

    Raises
    ------
    RecordError
        `signal_unreadable`: no .npy, or of something else than numbers; `signal_truncated`.
    """
    shape, fortran, kind = _header(file, path)
    if kind.kind not in "fiu":  # floats and whole numbers
        raise RecordError("signal_unreadable", f"{path}: an array of {kind}; samples must be numbers")
    start, held = file.tell(), math.prod(shape) * kind.itemsize
    if held > size - start:
        raise RecordError("signal_truncated", f"{path}: {shape} {kind} are {held} bytes, there are {size - start}")
    return Array(shape, fortran, kind, start)


def read_numbers(file: BinaryIO, array: Array, path: str, row: int | None = None) -> np.ndarray:
    """The numbers of an array, or those of one row of it, from 0; `file` stands behind the header, if `row` is None.

    Raises
    ------
    RecordError
        `shape_unknown`: rows of an array in Fortran's order lie nowhere together; `signal_missing`: no such row;
        `signal_too_long`, `signal_truncated`.
    """
    shape = array.shape
    if row is not None:
        if array.fortran:
            raise RecordError("shape_unknown", f"{path}: an array in Fortran's order; save it as np.ascontiguousarray")
        if row >= shape[0]:
            raise RecordError("signal_missing", f"{path}: it holds {counted(shape[0], 'recording')}, numbered from 0")
        shape = shape[1:]
    if math.prod(shape) > MAX_SAMPLES:
        raise RecordError("signal_too_long", f"{path}: {shape} are more than {MAX_SAMPLES} samples")
    wanted = math.prod(shape) * array.kind.itemsize
    if row is not None:
        file.seek(array.start + row * wanted)
    content = file.read(wanted)
    if len(content) < wanted:
        raise RecordError("signal_truncated", f"{path}: {len(content)} of {wanted} bytes")
    return np.frombuffer(content, array.kind).reshape(shape, order="F" if array.fortran else "C")


def _header(file: BinaryIO, path: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise RecordError("signal_unreadable", f"{path}: .npy of version {version}")
        form, read = _HEADERS[version]
        stated = file.read(struct.calcsize(form))
        (length,) = struct.unpack(form, stated)
        if length > _MAX_HEADER:
            raise RecordError("signal_unreadable", f"{path}: a header of {length} bytes")
        shape, fortran, kind = read(io.BytesIO(stated + file.read(length)))
    except (
        struct.error,
        ValueError,
        EOFError,
        SyntaxError,
        TypeError,
        MemoryError,
        RecursionError,
        OverflowError,
    ) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError("signal_unreadable", f"{path}: no .npy array: {str(error).splitlines()[0]}") from None
    if min(shape, default=0) < 0:
        raise RecordError("signal_unreadable", f"{path}: shape {shape}")
    return shape, fortran, kind
