"""An array of Zarr, versions 2 and 3, in a folder: regular chunks of numbers, compressed or not.

Zarr's own library runs any codec that a file names, pickle among them, and follows symbolic links. So the few lines of
JSON are read here, chunks are opened inside the database's root, and no codec but those of `_CODECS` is run. Sharded
arrays, filters and arrays in Fortran's order are refused by name.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import zlib
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ecglfm.extras import need
from ecglfm.records import MAX_SAMPLES, RecordError
from ecglfm.sources.arrays.rows import Rows, as_text
from ecglfm.sources.inside import Root

_MAX_JSON = 1 << 20  # bytes
_MAX_HELD = 1 << 30  # bytes of the chunks that a row is in
_MAX_CHUNKS = 1 << 16  # that a row, or all ids, are in: each is a file that is looked for
#: By their names; zlib and gzip are the standard library's, which stops where a chunk is full.
_CODECS = {"zlib": "", "gzip": "", "zstd": "Zstd", "blosc": "Blosc", "lz4": "LZ4"}


class _Meta(NamedTuple):
    """What the JSON of an array says."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    kind: np.dtype
    fill: float
    codec: str | None
    prefix: str  # of the names of chunks
    separator: str  # in them


class ZarrRows(Rows):
    """Rows of an array of three dimensions; the chunks of one stretch of rows are held.

    Parameters
    ----------
    root : Root
    file : str
        The folder, relative to the root.
    inner : str
        Groups and name of the array in it; empty: it is one, or holds one.

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing`, `signal_unreadable`, `signal_too_long`.
    UserError
        numcodecs, which decompresses, is not installed.
    """

    def __init__(self, root: Root, file: str, inner: str) -> None:
        need("numcodecs", extra="zarr", what=f"{file}, an array of Zarr,")
        self._root, self._file = root, file
        self._name = inner or self._only()
        self._meta = self._read_meta(self._name, 3)
        self.shape = self._meta.shape
        self._held: tuple[int, np.ndarray] | None = None

    def _only(self) -> str:
        """The array, where the folder is one or holds one."""
        folder = self._root.folder(tuple(part for part in self._file.split("/") if part))
        if not os.path.isdir(folder):
            raise RecordError("signal_missing", f"{self._file} does not exist")
        names = sorted(name for name in os.listdir(folder) if self._is_array(name))
        if not self._is_array("") and len(names) != 1:
            raise RecordError("signal_missing", f"{self._file}: write FILE#NAME with a name of: {' '.join(names[:12])}")
        return "" if self._is_array("") else names[0]

    def _is_array(self, name: str) -> bool:
        if self._bytes(name, ".zarray") is not None:
            return True
        content = self._bytes(name, "zarr.json")
        return content is not None and b'"array"' in content

    def _bytes(self, name: str, key: str, most: int = _MAX_JSON) -> bytes | None:
        """Content of a file of an array; None where there is none."""
        place = "/".join(filter(None, (self._file, name, key)))
        folder, file_name = self._root.split(place)
        try:
            with self._root.open(folder, file_name, "signal_missing") as (descriptor, size):
                if size > most:
                    raise RecordError("signal_unreadable", f"{place}: {size} bytes, at most {most}")
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    return file.read()
        except RecordError as error:
            if error.reason == "signal_missing":
                return None
            raise

    def _read_meta(self, name: str, dimensions: int) -> _Meta:
        where = f"{self._file}#{name}" if name else self._file
        for key, read in ((".zarray", _version_2), ("zarr.json", _version_3)):
            content = self._bytes(name, key)
            if content is None:
                continue
            try:
                meta = read(json.loads(content))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
                raise RecordError("signal_unreadable", f"{where}: {key}: {error}") from None
            if len(meta.shape) != dimensions or len(meta.chunks) != dimensions or min(meta.shape + meta.chunks) < 0:
                raise RecordError("signal_unreadable", f"{where} is {meta.shape} in chunks of {meta.chunks}")
            if meta.kind.kind not in "fiu" or 0 in meta.chunks:
                raise RecordError("signal_unreadable", f"{where}: an array of {meta.kind} in chunks of {meta.chunks}")
            if meta.chunks[0] * math.prod(map(max, meta.shape[1:], meta.chunks[1:])) * meta.kind.itemsize > _MAX_HELD:
                raise RecordError(
                    "signal_too_long", f"{where}: chunks of {meta.chunks[0]} recordings; write fewer in one"
                )
            behind = slice(1, None) if dimensions > 1 else slice(None)
            pairs = zip(meta.shape[behind], meta.chunks[behind], strict=True)
            chunks = math.prod(-(-size // chunk) for size, chunk in pairs)
            if chunks > _MAX_CHUNKS or (dimensions == 1 and meta.shape[0] > MAX_SAMPLES):
                raise RecordError("signal_too_long", f"{where}: {meta.shape} in {chunks} chunks; write more in one")
            return meta
        raise RecordError("signal_missing", f"{where}: no array of Zarr")

    def read(self, row: int) -> np.ndarray:
        """The numbers of a row, from 0; chunks that were never written are the fill value."""
        first = row // self._meta.chunks[0]
        if self._held is None or self._held[0] != first:
            self._held = None
            self._held = first, self._stretch(self._meta, self._name, first)
        found: np.ndarray = self._held[1][row - first * self._meta.chunks[0]]
        return found

    def _stretch(self, meta: _Meta, name: str, first: int) -> np.ndarray:
        """All chunks of a number along the first dimension, joined."""
        whole = np.full((meta.chunks[0], *meta.shape[1:]), meta.fill, meta.kind)
        grid = (range(-(-size // chunk)) for size, chunk in zip(meta.shape[1:], meta.chunks[1:], strict=True))
        for place in itertools.product(*grid):
            numbers = self._chunk(meta, name, (first, *place))
            if numbers is not None:
                corner = [number * chunk for number, chunk in zip(place, meta.chunks[1:], strict=True)]
                part = whole[:, *(slice(at, at + chunk) for at, chunk in zip(corner, meta.chunks[1:], strict=True))]
                part[...] = numbers[tuple(slice(size) for size in part.shape)]
        return whole

    def _chunk(self, meta: _Meta, name: str, place: tuple[int, ...]) -> np.ndarray | None:
        """The numbers of a chunk; None where it was never written."""
        key = meta.prefix + meta.separator.join(map(str, place))
        size = math.prod(meta.chunks) * meta.kind.itemsize
        content = self._bytes(name, key, 2 * size + _MAX_JSON)
        if content is None:
            return None
        try:
            return np.frombuffer(_decoded(content, meta.codec, size), meta.kind).reshape(meta.chunks)
        except (ValueError, RuntimeError, zlib.error) as error:
            raise RecordError("signal_unreadable", f"{self._file}: chunk {key}: {error}") from None

    def ids(self, name: str) -> pa.ChunkedArray:
        """Whole numbers of another array of the folder."""
        meta = self._read_meta(name, 1)
        parts = [self._stretch(meta, name, first) for first in range(-(-meta.shape[0] // meta.chunks[0]))]
        return as_text(np.concatenate([np.empty(0, meta.kind), *parts])[: meta.shape[0]], f"{self._file}#{name}")


def _decoded(content: bytes, codec: str | None, size: int) -> Any:
    """Numbers of a chunk as bytes, `size` of them; no more memory is taken whatever the chunk claims."""
    if codec is None:
        return content
    if codec in {"zlib", "gzip"}:
        return zlib.decompressobj(wbits=47).decompress(content, size + 1)
    import numcodecs

    out = np.empty(size, np.uint8)
    for unwritten in (0xA5, 0x5A):  # no codec says how much of it was filled; the rest would be of another's memory
        out[-1] = unwritten
        getattr(numcodecs, _CODECS[codec])().decode(content, out)
        if out[-1] != unwritten:
            return out
    raise ValueError(f"unpacks to fewer than {size} bytes")


def _codec(name: str) -> str:
    if name not in _CODECS:
        raise ValueError(f"codec {name!r} is not read; known ones: {', '.join(_CODECS)}")
    return name


def _version_2(said: dict[str, Any]) -> _Meta:
    if said.get("filters") or said.get("order", "C") != "C":
        raise ValueError("filters, and Fortran's order, are not read")
    compressor = said["compressor"]
    codec = None if compressor is None else _codec(compressor["id"])
    separator = said.get("dimension_separator", ".")
    if not isinstance(said["dtype"], str) or separator not in {".", "/"}:
        raise ValueError("an array of numbers, please")
    kind, fill = np.dtype(said["dtype"]), float(said["fill_value"] or 0)
    return _Meta(tuple(map(int, said["shape"])), tuple(map(int, said["chunks"])), kind, fill, codec, "", separator)


def _version_3(said: dict[str, Any]) -> _Meta:
    codecs = [one if isinstance(one, dict) else {"name": one} for one in said["codecs"]]
    names = [one["name"] for one in codecs]
    if names[:1] != ["bytes"] or len(names) > 2:
        raise ValueError(f"codecs {names} are not read; known: bytes, and one of {', '.join(_CODECS)}")
    codec = _codec(names[1]) if len(names) == 2 else None
    big = codecs[0].get("configuration", {}).get("endian") == "big"
    encoding = said["chunk_key_encoding"]
    standard = encoding["name"] == "default"
    separator = encoding.get("configuration", {}).get("separator", "/" if standard else ".")
    if said["chunk_grid"]["name"] != "regular" or separator not in {".", "/"}:
        raise ValueError("chunks must be regular")
    chunks = said["chunk_grid"]["configuration"]["chunk_shape"]
    kind, fill = np.dtype(str(said["data_type"])).newbyteorder(">" if big else "<"), float(said["fill_value"])
    prefix = f"c{separator}" if standard else ""
    return _Meta(tuple(map(int, said["shape"])), tuple(map(int, chunks)), kind, fill, codec, prefix, separator)
