"""Exams of CODE-15 % by their ids, in its parts `exams_part{N}.hdf5` (`ecglfm.sources.databases.code15`)."""

from __future__ import annotations

import re

import numpy as np

from ecglfm.config import LEADS
from ecglfm.records import Record, RecordError
from ecglfm.sources.arrays.hdf5 import Hdf5File
from ecglfm.sources.inside import Root

SAMPLING_RATE = 400.0  # Hz
FILE_LEADS = LEADS  # DI DII DIII AVR AVL AVF V1-V6
N_SAMPLES = 4096
_MAX_EXAMS = 1_000_000  # a part has about 20,000; no memory for whatever a damaged file claims


def split_path(path: str) -> tuple[str, int]:
    """Part and exam id of a record's path `{part}#{exam_id}`; raises RecordError `exam_missing`."""
    name, _, exam = path.rpartition("#")
    if not re.fullmatch(r"\d{1,18}", exam, re.ASCII):
        raise RecordError("exam_missing", f"{path!r} names no exam; write FILE.hdf5#EXAM_ID")
    return name, int(exam)


class ExamFile:
    """One HDF5 file of tracings, open for reading.

    Parameters
    ----------
    root : Root
        No file outside it is opened, also not through a link inside the HDF5 file.
    name : str
        File name relative to the root.

    Attributes
    ----------
    exams : ndarray of int64, shape (n,)

    Raises
    ------
    RecordError
        `path_outside_root`, `signal_missing`, `signal_unreadable`.
    """

    def __init__(self, root: Root, name: str) -> None:
        self._file = Hdf5File(root, name, "; see ecglfm.sources.databases.code15 for what a part holds")
        self._tracings = self._file.dataset("tracings", "f", 3)
        exams = self._file.dataset("exam_id", "iu", 1)
        if self._tracings.shape[1:] != (N_SAMPLES, len(FILE_LEADS)) or exams.shape != self._tracings.shape[:1]:
            raise self._file.unreadable(f"tracings are {self._tracings.shape} and exam_id {exams.shape}")
        if len(exams) > _MAX_EXAMS:
            raise self._file.unreadable(f"{len(exams)} exams in one part")
        self.exams: np.ndarray = self._file.read(exams, slice(None), "exam_id").astype(np.int64)

    def read(self, exam: int) -> Record:
        """An exam without its padding; raises as `Code15.read`."""
        rows = np.flatnonzero(self.exams == exam)
        if len(rows) != 1:
            reason = "exam_repeated" if len(rows) else "exam_missing"
            raise RecordError(reason, f"{self._file.name} holds exam {exam} {len(rows)} times")
        signal = without_padding(self._file.read(self._tracings, int(rows[0]), f"exam {exam}"))
        return Record(signal.astype(np.float64), FILE_LEADS, SAMPLING_RATE)


def without_padding(tracing: np.ndarray) -> np.ndarray:
    """Take off the rows before the first and after the last that is not zero in all leads.

    A tracing `(n_samples, n_leads)` of nothing but zeros stays whole: preprocess drops it as those of other sources.
    """
    recorded = tracing.ravel() != 0  # NaN is not zero
    first, after_last = int(recorded.argmax()), len(recorded) - int(recorded[::-1].argmax())
    if not recorded[first]:
        return tracing
    n_leads = tracing.shape[1]
    return tracing[first // n_leads : -(-after_last // n_leads)]
