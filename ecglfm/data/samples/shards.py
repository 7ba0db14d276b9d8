"""Shards of samples on disk, memory-mapped: opened when first read, few at a time, read ahead where asked."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ecglfm.config import UserError

#: Files mapped at a time by one process. A map holds a file descriptor, and 1024 of these is a common limit.
MAX_OPEN = 256
# Linux cuts one advice to the read-ahead size of the device, of which 128 KiB is the usual one.
_ADVICE_BYTES = 128 * 1024


class _Shard(NamedTuple):
    """An open file: its samples, and what is needed to advise the kernel about them."""

    samples: np.ndarray
    map: mmap.mmap
    header_bytes: int


class Shards:
    """Files of int16 samples, shape (samples, leads) each.

    Parameters
    ----------
    paths : sequence of path
        The `.npy` files; a file is named by its position here.
    needed : ndarray of int, shape (files,)
        Samples that the manifest expects in each file.
    """

    def __init__(self, paths: Sequence[Path], needed: np.ndarray) -> None:
        self.paths, self.needed = list(paths), needed
        self._open: dict[int, _Shard] = {}  # the one used last stands last

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}  # a pickled memory map would carry the samples along

    def samples(self, file: int) -> np.ndarray:
        """Samples of a file, int16, shape (samples, leads), as a view of the memory map.

        Raises
        ------
        UserError
            The file is missing, unreadable, or shorter than the manifest says.
        """
        return self._shard(file).samples

    def read_ahead(self, file: int, start: int, stop: int) -> None:
        """Ask the kernel to read samples `start` to `stop` (exclusive) now, without waiting for them.

        A page fault reads around its place, piece by piece, and waits for each; advice reads what is wanted.
        """
        samples, mapped, header_bytes = self._shard(file)
        row_bytes = samples.strides[0]
        first = (header_bytes + start * row_bytes) // mmap.PAGESIZE * mmap.PAGESIZE
        end = header_bytes + stop * row_bytes
        for place in range(first, end, _ADVICE_BYTES):
            mapped.madvise(mmap.MADV_WILLNEED, place, min(_ADVICE_BYTES, end - place))

    def _shard(self, file: int) -> _Shard:
        shard = self._open.pop(file, None)
        if shard is None:
            shard = self._map(file)
            if len(self._open) >= MAX_OPEN:
                del self._open[next(iter(self._open))]
        elif (size := shard.map.size()) < len(shard.map):  # reading beyond its end would end the process
            raise UserError(
                f"{self.paths[file]}: was cut from {len(shard.map)} to {size} bytes while it was read;"
                " rerun the stage `preprocess`, and train again"
            )
        self._open[file] = shard
        return shard

    def _map(self, file: int) -> _Shard:
        path, needed = self.paths[file], int(self.needed[file])
        if not path.exists():
            raise UserError(f"{path}: no such file, but the manifest names it; rerun the stage `preprocess`")
        try:
            mapped = np.lib.format.open_memmap(path, mode="r")
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be mapped ({error}); rerun the stage `preprocess`") from error
        if mapped.dtype != np.int16 or mapped.ndim != 2 or len(mapped) < needed or not mapped.flags.c_contiguous:
            raise UserError(
                f"{path}: {mapped.dtype} {mapped.shape}, but the manifest needs int16 with {needed} samples;"
                " rerun the stage `preprocess`"
            )
        assert isinstance(mapped.base, mmap.mmap)
        return _Shard(np.asarray(mapped), mapped.base, mapped.offset)
