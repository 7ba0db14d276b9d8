"""A folder of NumPy arrays with a CSV: a lab's own export, whatever wrote it.

Arrays say neither rate, leads nor unit, so the config declares them: `sampling_rate`, `file_leads`, `unit`. A row of
`table` is a recording, and its path says where it lies:

- `a/7.npy`: one recording, (samples, leads) or (leads, samples); the number of `file_leads` tells which.
- `all.npy#7`: row 7, from 0, of an array of many recordings (n, samples, leads) or (n, leads, samples).
- `a/7.npz`: the only array in it; `a/7.npz#ecg` the one of that name.

Arrays of Python objects, which are pickles, are refused. No more is read than the recording.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pandas as pd

from ecglfm.records import Record, RecordError, normalize_lead
from ecglfm.sources.arrays import read_npy_header, read_numbers
from ecglfm.sources.base import Source
from ecglfm.sources.tables import table_pieces
from ecglfm.sources.tree import Known, files_of

MILLIVOLTS = {"mV": 1.0, "uV": 1e-3, "V": 1e3}
_ENDINGS = (".npy", ".npz")


class NumpyFolder(Source):
    """Arrays as the module's docstring says; native id: `record_id` of the table, or the path without ending."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per row of the table; see `Source.pieces`. Arrays in no row are named in a warning.

        Raises
        ------
        UserError
            The table cannot be read.
        """
        (path,) = self.tables()
        known = Known(path)
        for piece in table_pieces(self.name, path, self.config.columns, _ENDINGS):
            known.add({text.partition("#")[0] for text in piece["path"]})
            yield piece
        known.warn_of_others(files_of(self._inside, _ENDINGS))

    def _leads(self) -> tuple[str, ...]:
        return tuple(normalize_lead(lead) for lead in self.config.file_leads)

    def read(self, path: str) -> Record:
        """Read the recording at `path`; NaN and infinite samples count as missing.

        Raises
        ------
        RecordError
            `path_outside_root`, `signal_missing`, `signal_truncated`, `signal_unreadable`, `signal_empty`,
            `shape_unknown`.
        """
        name, _, part = path.partition("#")
        folder, file_name = self._inside.split(name)
        with (
            self._inside.open(folder, file_name, "signal_missing") as (descriptor, size),
            os.fdopen(descriptor, "rb", closefd=False) as file,
        ):
            if file_name.lower().endswith(".npz"):
                array = _read_npz(file, part, path)
            else:
                array = _read_npy(file, size, path, _row(part, path))
        leads = self._leads()
        signal = samples_first(array, len(leads), path).astype(np.float64) * MILLIVOLTS[self.config.unit]
        signal[~np.isfinite(signal)] = np.nan
        assert self.config.sampling_rate is not None  # the config says so
        return Record(signal, leads, self.config.sampling_rate)


def _row(part: str, path: str) -> int | None:
    if part and not (part.isascii() and part.isdigit() and len(part) <= 15):
        raise RecordError("signal_missing", f"{path!r}: after # stands the row, from 0")
    return int(part) if part else None


def _read_npz(file: BinaryIO, part: str, path: str) -> np.ndarray:
    """One array of an archive, which is never unpacked: no name in it is a file."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if part not in members and (part or len(members) != 1):
                listed = " ".join(list(members)[:12])
                raise RecordError("signal_missing", f"{path}: write FILE.npz#NAME with a name of: {listed}")
            info = members[part] if part in members else next(iter(members.values()))
            with archive.open(info) as member:
                return _read_npy(member, info.file_size, path, None)  # type: ignore[arg-type]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error) as error:
        raise RecordError("signal_unreadable", f"{path}: {error}") from None


def _read_npy(file: BinaryIO, size: int, path: str, row: int | None) -> np.ndarray:
    """The array of a .npy file, or one row of it; `size` in bytes is what the header's shape is held against."""
    array = read_npy_header(file, size, path)
    if row is not None and (len(array.shape) != 3 or array.fortran):
        raise RecordError("shape_unknown", f"{path}: {array.shape} is no array of (recordings, samples, leads)")
    return read_numbers(file, array, path, row)


def samples_first(array: np.ndarray, n_leads: int, path: str) -> np.ndarray:
    """One recording as (samples, leads).

    Parameters
    ----------
    array : ndarray, shape (n_samples, n_leads) or (n_leads, n_samples), or (n_samples,) where there is one lead
    n_leads : int
    path : str
        For the message.

    Raises
    ------
    RecordError
        `shape_unknown`: neither dimension is `n_leads`, or both are; `signal_empty`.
    """
    if array.ndim == 1 and n_leads == 1:
        array = array[:, None]
    if array.ndim == 3:
        raise RecordError(
            "shape_unknown", f"{path}: {array.shape} are many recordings; write FILE.npy#ROW in the table"
        )
    if array.ndim != 2 or n_leads not in array.shape:
        raise RecordError("shape_unknown", f"{path}: {array.shape} is not (samples, {n_leads}) or ({n_leads}, samples)")
    if array.shape == (n_leads, n_leads):
        raise RecordError("shape_unknown", f"{path}: {array.shape} does not tell samples from leads")
    if array.size == 0:
        raise RecordError("signal_empty", f"{path} holds no samples")
    return array if array.shape[1] == n_leads else array.T
