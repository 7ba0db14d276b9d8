"""HDF5 files of a database: data sets whose samples lie in the very file, and none that a link or a claim leads to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ecglfm.records import MAX_SAMPLES, RecordError
from ecglfm.sources.inside import Root

_MAX_CHUNK_BYTES = 1 << 28


class Hdf5File:
    """One HDF5 file, open for reading.

    Parameters
    ----------
    root : Root
        No file outside it is opened, also not through a link inside the HDF5 file.
    name : str
        File name relative to the root.
    hint : str
        Ends every message about a file that is not what it should be.

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing`, `signal_unreadable`.
    """

    def __init__(self, root: Root, name: str, hint: str = "") -> None:
        folder, file_name = root.split(name)
        path = root.resolve(Path(folder, file_name))
        if not path.is_file():
            raise RecordError("signal_missing", f"{name} does not exist")
        self.name, self._hint = name, hint
        with self._damaged():
            self._file = h5py.File(path, "r")

    def unreadable(self, what: str) -> RecordError:
        """The error that the file is not what it should be."""
        return RecordError("signal_unreadable", f"{self.name}: {what}{self._hint}")

    @contextmanager
    def _damaged(self) -> Iterator[None]:
        """Make a `RecordError` of what h5py makes of a damaged file."""
        try:
            yield
        except RecordError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            raise self.unreadable(str(error)) from None

    def names(self) -> list[str]:
        """What stands at the top of the file."""
        with self._damaged():
            return list(self._file)

    def dataset(self, name: str, kinds: str, dimensions: int) -> h5py.Dataset:
        """A data set of the file's own.

        Parameters
        ----------
        name : str
            With the groups that it is in, `group/ecg`.
        kinds : str
            Kinds of its dtype: `f`, `iu`.
        dimensions : int

        Raises
        ------
        RecordError
            `signal_unreadable`: there is none such, its samples lie elsewhere, or reading one of its chunks takes
            more memory than a recording ever has.
        """
        with self._damaged():
            parts = name.split("/")
            for end in range(1, len(parts) + 1):
                if not isinstance(self._file.get("/".join(parts[:end]), getlink=True), h5py.HardLink):
                    raise self.unreadable(f"no data set {name!r} of its own")
            found = self._file[name]
            if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
                raise self.unreadable(f"{name!r} is no data set of its own")
            if found.dtype.kind not in kinds or found.ndim != dimensions:
                raise self.unreadable(f"{name} is {found.dtype} {found.shape}")
            if found.chunks and np.prod(found.chunks, dtype=float) * found.dtype.itemsize > _MAX_CHUNK_BYTES:
                raise self.unreadable(f"{name} has chunks of {found.chunks}")
            return found

    def read(self, dataset: h5py.Dataset, rows: Any, what: str) -> np.ndarray:
        """Some of a data set, by its first dimension.

        Parameters
        ----------
        dataset : Dataset
            As `dataset` gives it.
        rows : int or slice
        what : str
            What is read, for the message.

        Raises
        ------
        RecordError
            `signal_too_long`, `signal_unreadable`.
        """
        n_rows = len(range(*rows.indices(dataset.shape[0]))) if isinstance(rows, slice) else 1
        if n_rows * np.prod(dataset.shape[1:], dtype=float) > MAX_SAMPLES:
            raise RecordError("signal_too_long", f"{self.name}: {dataset.shape} are more than {MAX_SAMPLES} samples")
        try:
            found: np.ndarray = dataset[rows]
        except (OSError, RuntimeError, ValueError) as error:
            raise self.unreadable(f"{what}: {error}") from None
        return found
