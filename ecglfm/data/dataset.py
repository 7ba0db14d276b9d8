"""Prepared signals as arrays: which records there are, and memory-mapped crops of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.records import require_columns

#: Columns of the manifest that locate a signal.
LOCATION = ["record_id", "source", "patient_id", "split", "sampling_rate", "n_samples", "shard", "offset"]


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


def to_millivolts(crops: np.ndarray) -> np.ndarray:
    """Microvolts as they are stored to what a model reads.

    Parameters
    ----------
    crops : ndarray of int16, shape (n, length, leads)

    Returns
    -------
    ndarray of float32, shape (n, leads, length)
        Millivolts.
    """
    return np.divide(crops.transpose(0, 2, 1), np.float32(1000), dtype=np.float32, order="C")


class Signals:
    """The prepared signals of some records, memory-mapped; files are opened when first read.

    Parameters
    ----------
    records : DataFrame
        Rows of the manifest; `rows` below are positions in this table.
    folder : path
        Holds `{source}/{shard:03d}.npy`, int16 microvolts, time-major.
    """

    def __init__(self, records: pd.DataFrame, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.n_samples = records["n_samples"].to_numpy(np.int64)
        self._offset = records["offset"].to_numpy(np.int64)
        shards = pd.MultiIndex.from_frame(records[["source", "shard"]])
        self._file, names = pd.factorize(shards, sort=True)
        self.paths = [self.folder / str(source) / f"{int(shard):03d}.npy" for source, shard in names]
        self._open: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.n_samples)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}  # a pickled memory map would carry the samples along

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """Cut one piece out of each named record.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Positions in the table of records.
        starts : ndarray of int, shape (n,)
            First sample of each piece, within its record.
        length : int
            Samples of each piece; what lies past the end of a record is zero.

        Returns
        -------
        ndarray of int16, shape (n, length, leads)
            Microvolts.

        Raises
        ------
        UserError
            A file is missing, or shorter than the manifest says.
        """
        rows, starts = np.asarray(rows, np.int64), np.asarray(starts, np.int64)
        valid = np.clip(self.n_samples[rows] - starts, 0, length)
        first = self._offset[rows] + starts
        files = self._file[rows]
        out: np.ndarray | None = None
        for file in np.unique(files):
            samples = self._samples(int(file))
            if out is None:
                out = np.zeros((len(rows), length, samples.shape[1]), np.int16)
            inside = files == file
            whole = np.flatnonzero(inside & (valid == length))
            if len(whole):
                # Overlapping windows of the whole file, so that one indexing copies every piece in one go.
                windows = np.lib.stride_tricks.as_strided(
                    samples,
                    (len(samples) - length + 1, length, samples.shape[1]),
                    (samples.strides[0], *samples.strides),
                    writeable=False,
                )
                out[whole] = windows[first[whole]]
            for i in np.flatnonzero(inside & (valid < length)):
                out[i, : valid[i]] = samples[first[i] : first[i] + valid[i]]
        if out is None:
            raise ValueError("no rows to cut from")
        return out

    def windows(self, length: int) -> pd.DataFrame:
        """Non-overlapping windows that cover every record.

        Returns
        -------
        DataFrame
            `row`, `start` (samples), `valid` (real samples; less than `length` only for a record shorter
            than that, which gives one padded window). A remainder is left out.
        """
        count = np.maximum(self.n_samples // length, 1)
        row = np.repeat(np.arange(len(self)), count)
        index = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        valid = np.minimum(self.n_samples[row], length)
        return pd.DataFrame({"row": row, "start": index * length, "valid": valid})

    def _samples(self, file: int) -> np.ndarray:
        """Memory map of one shard, checked against the manifest once."""
        if file not in self._open:
            path = self.paths[file]
            if not path.exists():
                raise UserError(f"{path}: no such file, but the manifest names it; rerun the stage `preprocess`")
            samples = np.load(path, mmap_mode="r", allow_pickle=False)
            needed = int((self._offset + self.n_samples)[self._file == file].max())
            if samples.dtype != np.int16 or samples.ndim != 2 or len(samples) < needed:
                raise UserError(
                    f"{path}: {samples.dtype} {samples.shape}, but the manifest needs int16 with {needed} samples;"
                    " rerun the stage `preprocess`"
                )
            self._open[file] = samples
        return self._open[file]
