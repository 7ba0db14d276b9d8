"""Which recordings of a patient make a pair, for pretraining."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from ecglfm.config.wording import counted
from ecglfm.data.samples import ConvertedSignals, Signals

logger = logging.getLogger(__name__)


class PairSampler:
    """Which two pieces of a patient's recordings make a positive pair (CLOCS, arXiv:2005.13249).

    Two different recordings with a random crop in each; or, of a patient with a single recording at
    least twice `min_length` long, a random crop in each half. With `pairs="recording"` always the two halves of
    one recording. Who makes no pair is left out here and nowhere else, and counted in the log.

    Parameters
    ----------
    records : DataFrame
        Rows of the manifest.
    split : str
        Only its records are used.
    length : int
        Samples of a crop.
    min_length : int, optional
        Shorter recordings are not used; one between this and `length` is padded. Default: `length`.
    min_recordings : int
        Patients with fewer recordings of that length are not used.
    pairs : {'patient', 'recording'}
        `recording`: shorter ones than twice `min_length` are not used.
    """

    def __init__(
        self,
        records: pd.DataFrame,
        *,
        split: str,
        length: int,
        min_length: int | None = None,
        min_recordings: int = 1,
        pairs: str = "patient",
    ) -> None:
        self.length = length
        self.min_length = length if min_length is None else min_length
        self._halves = pairs == "recording"
        shortest = self.min_length * (2 if self._halves else 1)
        self._n_samples = records["n_samples"].to_numpy(np.int64)
        chosen = np.flatnonzero((records["split"] == split).to_numpy(bool, na_value=False))
        usable = chosen[self._n_samples[chosen] >= shortest]
        # Sorted by name, so that the pairs do not depend on the order of the manifest.
        names = records.iloc[usable]
        order = np.lexsort((names["record_id"].astype(str), names["patient_id"].astype(str)))
        self._rows = usable[order]
        patients = names["patient_id"].astype(str).to_numpy()[order]
        _, first, count = np.unique(patients, return_index=True, return_counts=True)
        paired = (count >= 2) | (self._n_samples[self._rows[first]] >= 2 * self.min_length)
        enough = count >= min_recordings
        two = np.zeros_like(enough) if self._halves else count >= 2
        self._first, self._count = first[paired & enough], count[paired & enough]
        everyone = records["patient_id"].iloc[chosen].nunique()
        logger.info(
            "%s: %s pairs (%d from two recordings, %d from two halves); %s left out"
            " (no %srecording of %d samples), %d more with fewer than min_recordings = %d;"
            " %s shorter than that",
            split, counted(len(self), "patient makes", "patients make"),
            int((two & enough).sum()), int((paired & enough & ~two).sum()),
            counted(everyone - int(paired.sum()), "patient"), "" if self._halves else "second ", shortest,
            int((paired & ~enough).sum()), min_recordings,
            counted(len(chosen) - len(usable), "recording"),
        )  # fmt: skip

    def __len__(self) -> int:
        """Patients; they are named by their position in the order of their names."""
        return len(self._first)

    def first_recordings(self) -> np.ndarray:
        """Row of the first recording of each patient, in the order of their names."""
        return self._rows[self._first]

    def recordings(self, patients: np.ndarray) -> np.ndarray:
        """Rows of all usable recordings of some patients, patient after patient."""
        count = self._count[patients]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return self._rows[np.repeat(self._first[patients], count) + within]

    def on_disk(self, signals: Signals | ConvertedSignals) -> np.ndarray:
        """Patients in the order in which their first recordings lie on disk."""
        rank = np.empty(len(signals), np.int64)
        rank[signals.disk_order()] = np.arange(len(signals))
        begins = np.cumsum(self._count) - self._count
        return np.argsort(np.minimum.reduceat(rank[self.recordings(np.arange(len(self)))], begins))

    def pairs(self, patients: np.ndarray, draw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One pair for each patient.

        Parameters
        ----------
        patients : ndarray of int, shape (n,)
            Positions in the order of their names.
        draw : ndarray of float, shape (n, 4)
            Uniform in [0, 1): which recording, which other, where in the one, where in the other.

        Returns
        -------
        rows, starts, valid : ndarray of int64, shape (n, 2)
            Recordings (rows of the manifest), first samples of the crops, real samples in each.
        """
        first, count = self._first[patients], self._count[patients]
        one = (draw[:, 0] * count).astype(np.int64)
        single = (count == 1) | self._halves
        other = (draw[:, 1] * (count - 1)).astype(np.int64)
        other = np.where(single, one, other + (other >= one))
        rows = np.stack([self._rows[first + one], self._rows[first + other]], axis=1)
        # Where a crop may lie: the whole recording, or its half.
        low, high = np.zeros_like(rows), self._n_samples[rows]
        high[single, 0] //= 2
        low[single, 1] = high[single, 0]
        valid = np.minimum(high - low, self.length)
        starts = low + (draw[:, 2:] * (high - low - valid + 1)).astype(np.int64)
        return rows, starts, valid
