"""Prepared signals as arrays: which records there are, and memory-mapped crops of them."""

from __future__ import annotations

import json
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import UserError
from ecglfm.data.samples.shards import Shards
from ecglfm.records import require_columns

#: Columns of the manifest that locate a signal.
LOCATION = ["record_id", "source", "patient_id", "split", "sampling_rate", "n_samples", "shard", "offset"]

# After a page had to be fetched from disk, so many batches are read ahead.
_ADVISED_BATCHES = 100

_LEADS = "leads"  # key in the metadata of a table of `preprocess`


def lead_metadata(leads: Sequence[str]) -> dict[str, str]:
    """What the table of a shard says of its leads, beside its columns."""
    return {_LEADS: json.dumps(list(leads))}


def read_leads(path: Path) -> list[str] | None:
    """Leads of a shard of `preprocess`, as the table beside it names them; None where an older version wrote it."""
    table = path.with_suffix(".parquet")
    about = pq.read_metadata(table).metadata if table.exists() else None
    return list(json.loads(about[_LEADS.encode()])) if about and _LEADS.encode() in about else None


def load_records(manifest: str | Path, sources: Sequence[str] | None = None) -> pd.DataFrame:
    """Read the manifest, with the records of some sources only.

    Parameters
    ----------
    manifest : path
        `manifest/records.parquet`.
    sources : sequence of str or None
        None: all of them.

    Raises
    ------
    UserError
        The file or a column of it is missing, or none of the sources is in it.
    """
    path = Path(manifest)
    if not path.exists():
        raise UserError(f"{path}: no such file; run `snakemake` or the stage `manifest` first")
    records = pd.read_parquet(path)
    require_columns(records, LOCATION, str(path))
    if sources is not None:
        records = records[records["source"].isin(sources)].reset_index(drop=True)
    if records.empty:
        raise UserError(f"{path}: no records of {', '.join(sources or ['any source'])}")
    return records


def to_millivolts(
    pieces: Sequence[np.ndarray] | np.ndarray, lead_mask: np.ndarray | None = None, *, length: int | None = None
) -> np.ndarray:
    """Pieces as they are stored, or as an encoder's `input` makes them, to what a model reads.

    Parameters
    ----------
    pieces : ndarray of shape (n, length, leads), or sequence of n such of shape (any, leads)
        `Signals.crops`, or `Signals.views`, which saves a copy: int16, microvolts. Of `Converted` float32, which stay
        the numbers that they are.
    lead_mask : ndarray of bool, shape (n, leads), optional
        False: the lead becomes zero, and is not even read. None: every lead is kept.
    length : int, optional
        Samples of the result, where it is not that of the first piece; a shorter piece is followed by zeros.

    Returns
    -------
    ndarray of float32, shape (n, leads, length)
        Millivolts, or what the encoder reads in their place.
    """
    first = pieces[0]
    length = len(first) if length is None else length
    out = np.empty((len(pieces), first.shape[1], length), np.float32)
    kept = np.ones(out.shape[:2], bool) if lead_mask is None else lead_mask
    for row, piece, leads in zip(out, pieces, kept.tolist(), strict=True):
        row[:, len(piece) :] = 0
        for k, used in enumerate(leads):
            row[k, : len(piece)] = piece[:, k] if used else 0
        if piece.dtype != np.float32:
            row /= np.float32(1000)  # a piece at a time: it is still in the cache
    return out


class Signals:
    """The prepared signals of some records, memory-mapped; files are opened when first read.

    Parameters
    ----------
    records : DataFrame
        Rows of the manifest; `rows` below are positions in this table.
    folder : path
        Holds `{source}/{shard:03d}.npy`, int16 microvolts, time-major.
    """

    dtype: ClassVar[type[np.generic]] = np.int16

    def __init__(self, records: pd.DataFrame, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.n_samples = records["n_samples"].to_numpy(np.int64)
        self._offset = records["offset"].to_numpy(np.int64)
        self._file, names = pd.factorize(pd.MultiIndex.from_frame(records[["source", "shard"]]), sort=True)
        paths = [self.folder / str(source) / f"{int(shard):03d}.npy" for source, shard in names]
        needed = np.zeros(len(paths), np.int64)
        np.maximum.at(needed, self._file, self._offset + self.n_samples)
        self._shards = Shards(paths, needed)
        self._advised = _ADVISED_BATCHES  # batches still to be read ahead
        self._faults = 0

    def __len__(self) -> int:
        return len(self.n_samples)

    @property
    def leads(self) -> int:
        """Leads in every file."""
        return self._shards.samples(0).shape[1]

    def leads_by_file(self) -> dict[Path, list[str] | int]:
        """Names of the leads of each file, in its order; their number where the table beside it does not name them."""
        paths = self._shards.paths
        return {path: read_leads(path) or self._shards.samples(file).shape[1] for file, path in enumerate(paths)}

    def path(self, row: int) -> Path:
        """The file that holds a record."""
        return self._shards.paths[self._file[row]]

    def disk_order(self) -> np.ndarray:
        """Rows in the order in which they lie on disk, file by file."""
        return np.lexsort((self._offset, self._file))

    def views(
        self, rows: np.ndarray, starts: np.ndarray, length: int, valid: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """One piece of each named record, as views of the memory maps: nothing is read yet.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Positions in the table of records.
        starts : ndarray of int, shape (n,)
            First sample of each piece, within its record.
        length : int
            Samples of each piece; less where a record ends before.
        valid : ndarray of int, shape (n,), optional
            Samples of each piece where that should be fewer.

        Returns
        -------
        list of ndarray of int16, shape (at most length, leads)
            Microvolts.

        Raises
        ------
        UserError
            A file is missing, or shorter than the manifest says.
        """
        rows, starts = np.asarray(rows, np.int64), np.asarray(starts, np.int64)
        if not len(rows):
            raise ValueError("no rows to cut from")
        first = self._offset[rows] + starts
        stop = first + np.clip(self.n_samples[rows] - starts, 0, length if valid is None else valid)
        files = self._file[rows]
        places = list(zip(files.tolist(), first.tolist(), stop.tolist(), strict=True))
        if self._is_cold():
            for place in sorted(places):
                self._shards.read_ahead(*place)
        samples = {file: self._shards.samples(file) for file in np.unique(files).tolist()}
        return [samples[file][begin:end] for file, begin, end in places]

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int, valid: np.ndarray | None = None) -> np.ndarray:
        """Cut one piece out of each named record; arguments and errors as in `views`.

        Returns
        -------
        ndarray of int16, shape (n, length, leads)
            Microvolts; what lies past the end of a piece is zero.
        """
        return padded(self.views(rows, starts, length, valid), length)

    def read_ahead(self, rows: np.ndarray) -> int:
        """Ask the kernel to read whole records now, in the order of the disk; neighbours are one run.

        Returns
        -------
        int
            Number of runs.
        """
        rows = rows[np.lexsort((self._offset[rows], self._file[rows]))]
        file, first = self._file[rows], self._offset[rows]
        stop = first + self.n_samples[rows]
        begins = np.flatnonzero(np.r_[True, (file[1:] != file[:-1]) | (first[1:] > stop[:-1])])
        ends = np.r_[begins[1:], len(rows)] - 1
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            self._shards.read_ahead(int(file[begin]), int(first[begin]), int(stop[end]))
        return len(begins)

    def _is_cold(self) -> bool:
        """Whether the next pieces should be read ahead: samples had to be fetched from disk a short while ago.

        Measured on a disk: 9 to 16 times as many crops a second as by page faults, and 0.8 instead of 10 times
        their bytes; but where everything is in memory, advice is a third of the whole cost.
        """
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        self._advised = _ADVISED_BATCHES if faults > self._faults else max(self._advised - 1, 0)
        self._faults = faults
        return self._advised > 0

    def windows(self, length: int) -> pd.DataFrame:
        """Non-overlapping windows that cover every record, as `cut_windows` makes them."""
        return cut_windows(self.n_samples, length)


def cut_windows(n_samples: np.ndarray, length: int) -> pd.DataFrame:
    """Non-overlapping windows that cover every record.

    Parameters
    ----------
    n_samples : ndarray of int, shape (records,)
    length : int
        Samples of a window.

    Returns
    -------
    DataFrame
        `row`, `start` (samples), `valid` (real samples; less than `length` only for a record shorter than that, which
        gives one padded window). A remainder is left out.
    """
    count = np.maximum(n_samples // length, 1)
    row = np.repeat(np.arange(len(n_samples)), count)
    index = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return pd.DataFrame({"row": row, "start": index * length, "valid": np.minimum(n_samples[row], length)})


def padded(pieces: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Pieces of signals (at most length, leads), zeros behind the shorter ones, as one array (n, length, leads)."""
    whole = [piece if len(piece) == length else np.pad(piece, ((0, length - len(piece)), (0, 0))) for piece in pieces]
    return np.concatenate(whole).reshape(len(whole), length, -1)  # all in one copy
