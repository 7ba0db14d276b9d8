"""The files of a checkpoint: each rank writes the pieces of tensors it holds, any number of ranks reads them back.

A piece is a run of elements of a flattened tensor, stored as `KIND/NAME@START` in a safetensors file, whose layout
(https://github.com/huggingface/safetensors#format) is a header and the bare bytes: so the copy that is taken in memory
is what is written, and nothing in it can run when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from ecglfm.config import UserError

_TYPES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.uint8: "U8",
    torch.bool: "BOOL",
}  # fmt: skip
_CHUNK = 1 << 24  # bytes written and hashed at a time


class Piece(NamedTuple):
    """Elements `start` and following of a flattened tensor.

    Attributes
    ----------
    kind, name : str
        E.g. `weight` and the parameter.
    start : int
    values : Tensor, one-dimensional
    """

    kind: str
    name: str
    start: int
    values: Tensor

    @property
    def key(self) -> str:
        """Name in the file."""
        return f"{self.kind}/{self.name}@{self.start}"


class Copy:
    """A copy of pieces in memory, laid out as their file; the memory is used again for the next one."""

    def __init__(self) -> None:
        self._buffer = torch.empty(0, dtype=torch.uint8)
        self._header = b""

    def take(self, pieces: list[Piece], notes: Mapping[str, str]) -> None:
        """Copy pieces, whatever their device.

        Parameters
        ----------
        pieces : list of Piece
        notes : mapping of str to str
            Kept in the file's header.
        """
        header: dict[str, Any] = {"__metadata__": dict(notes)}
        ordered = sorted(pieces, key=lambda piece: -piece.values.element_size())  # so that every one is aligned
        ends, end = [], 0
        for piece in ordered:
            begin, end = end, end + piece.values.nbytes
            ends.append(end)
            header[piece.key] = {
                "dtype": _TYPES[piece.values.dtype], "shape": [piece.values.numel()], "data_offsets": [begin, end],
            }  # fmt: skip
        if len(self._buffer) != end:
            self._buffer = torch.empty(end, dtype=torch.uint8, pin_memory=torch.cuda.is_available())
        for piece, stop in zip(ordered, ends, strict=True):
            place = self._buffer[stop - piece.values.nbytes : stop].view(piece.values.dtype)
            place.copy_(piece.values.detach(), non_blocking=True)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._header = len(text).to_bytes(8, "little") + text

    def write(self, path: Path) -> dict[str, Any]:
        """Write and sync the file; returns its `size` and `sha256`. For any thread."""
        digest = hashlib.sha256()
        with path.open("wb", buffering=0) as file:
            for part in (memoryview(self._header), self._buffer.numpy().data):
                for begin in range(0, len(part), _CHUNK):
                    _write_all(file.fileno(), part[begin : begin + _CHUNK])
                    digest.update(part[begin : begin + _CHUNK])
            os.fsync(file.fileno())
            size = file.tell()
        return {"size": size, "sha256": digest.hexdigest()}


def _write_all(descriptor: int, part: memoryview) -> None:
    """Write all of it: the system may take less at a time, above all where the disk fills up."""
    while part:
        part = part[os.write(descriptor, part) :]


class Pieces:
    """Every piece of a checkpoint, read where it lies; nothing is gathered.

    Parameters
    ----------
    paths : list of path
        The files of all ranks.

    Attributes
    ----------
    notes : list of dict
        What each file's `take` was given.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._files = [safe_open(path, framework="pt") for path in paths]
        self._where: dict[tuple[str, str], list[tuple[int, int, Any]]] = {}
        self.notes: list[dict[str, str]] = [dict(file.metadata() or {}) for file in self._files]
        for file in self._files:
            for key in file.keys():  # noqa: SIM118 - not a mapping
                kind, _, rest = key.partition("/")
                name, _, start = rest.rpartition("@")
                piece = file.get_slice(key)
                (count,) = piece.get_shape()
                self._where.setdefault((kind, name), []).append((int(start), count, piece))

    def read(self, kind: str, name: str, start: int, out: Tensor) -> None:
        """Fill a tensor with the elements of a flattened one from `start` on.

        Raises
        ------
        UserError
            Some of them are in no file.
        """
        flat, missing = out.detach().view(-1), out.numel()
        for begin, count, piece in self._where.get((kind, name), []):
            first, last = max(start, begin), min(start + len(flat), begin + count)
            if first < last:
                flat[first - start : last - start].copy_(piece[first - begin : last - begin])
                missing -= last - first
        if missing:
            raise UserError(f"the checkpoint lacks {missing} elements of {kind} {name}; move it away")
