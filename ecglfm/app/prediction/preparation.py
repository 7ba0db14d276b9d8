"""A recording as a model reads it, with its flags, or the fault for which it gets no answer; without torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar, cast

import numpy as np

from ecglfm.app.prediction.recordings import Reader, Recording
from ecglfm.config import PreprocessConfig
from ecglfm.data.ingest import flags_of
from ecglfm.data.signals import prepare
from ecglfm.records import Record, RecordError
from ecglfm.sources.parallel import ordered_map

PieceT = TypeVar("PieceT")

_CHUNK = 8  # recordings that a worker reads at a time
_TOGETHER = 256  # windows of the recordings that are answered together: some batches


class Prepared(NamedTuple):
    """A recording that can be answered, or cannot.

    Attributes
    ----------
    name : str
        What the table calls it.
    patient_id : str or None
    signal : ndarray of int16, shape (samples, leads)
        Microvolts, as `ecglfm.data.signals.prepare` gives them; empty where there is a fault.
    flags : tuple of str
        What is doubtful about it, in the words of the ledger.
    fault : tuple of (reason, detail) or None
        Why it gets no answer.
    """

    name: str
    patient_id: str | None
    signal: np.ndarray
    flags: tuple[str, ...] = ()
    fault: tuple[str, str] | None = None


def prepare_record(
    record: Record, config: PreprocessConfig, *, name: str = "", patient_id: str | None = None
) -> Prepared:
    """Prepare a recording of any rate, order of leads and unit, as `ingest` and `preprocess` do."""
    try:
        stored = record.microvolts()
    except RecordError as error:
        return _faulty(name, patient_id, error)
    found = prepare(stored.signal, stored.sampling_rate, config, lead_mask=stored.lead_mask)
    flags = (*(reason for reason, _ in flags_of(stored)), *found.flags)
    return Prepared(name, patient_id, found.signal, flags, found.dropped)


class Preparer:
    """Reads and prepares recordings, in worker processes.

    Parameters
    ----------
    reader : Reader
    config : PreprocessConfig
    """

    def __init__(self, reader: Reader, config: PreprocessConfig) -> None:
        self._reader, self.config = reader, config

    def __call__(self, chunk: Sequence[Recording]) -> list[Prepared]:
        """Prepare some recordings, in their order."""
        return [self._one(recording) for recording in chunk]

    def _one(self, recording: Recording) -> Prepared:
        name, patient = recording.name, recording.patient_id
        try:
            record = self._reader.read(recording.path)
            patient = self._reader.patient(recording.path) if patient is None else patient
        except RecordError as error:
            return _faulty(name, patient, error)
        return prepare_record(record, self.config, name=name, patient_id=patient)


def _faulty(name: str, patient_id: str | None, error: RecordError) -> Prepared:
    return Prepared(name, patient_id, np.empty((0, 0), np.int16), fault=(error.reason, error.detail))


def read_ahead(pieces: Iterator[PieceT]) -> Iterator[PieceT]:
    """The same pieces; while one is looked at, a thread makes the next one."""
    done = object()
    with ThreadPoolExecutor(1) as thread:
        waiting: Future[PieceT | object] = thread.submit(next, pieces, done)
        while (piece := waiting.result()) is not done:
            waiting = thread.submit(next, pieces, done)
            yield cast(PieceT, piece)


def prepared_together(
    recordings: Sequence[Recording], preparer: Preparer, seconds: float, *, workers: int = 1
) -> Iterator[list[Prepared]]:
    """Recordings in their order, as many at a time as have windows for some batches; the next are read meanwhile.

    Parameters
    ----------
    recordings : sequence of Recording
    preparer : Preparer
    seconds : float
        Length of a window.
    workers : int
        Processes that read and prepare; what comes out does not depend on it.
    """
    length = round(seconds * preparer.config.sampling_rate)
    return read_ahead(_together(recordings, preparer, length, workers))


def _together(
    recordings: Sequence[Recording], preparer: Preparer, length: int, workers: int
) -> Iterator[list[Prepared]]:
    chunks = [recordings[start : start + _CHUNK] for start in range(0, len(recordings), _CHUNK)]
    waiting, windows = list[Prepared](), 0
    for one in itertools.chain.from_iterable(ordered_map(preparer, chunks, workers, preload=["scipy.signal"])):
        waiting.append(one)
        windows += max(1, len(one.signal) // length)
        if windows >= _TOGETHER:
            yield waiting
            waiting, windows = [], 0
    if waiting:
        yield waiting
