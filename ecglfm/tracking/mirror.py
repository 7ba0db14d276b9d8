"""Brings the journal of a running process to MLflow, in the background: a training never waits for a server."""

from __future__ import annotations

import logging
import threading
import time

from ecglfm.config import TrackingSlice
from ecglfm.tracking.journal import Content, Journal, Reader, results_of
from ecglfm.tracking.store import Store, import_mlflow, without_password
from ecglfm.tracking.target import Target

logger = logging.getLogger(__name__)

TICK_SECONDS = 5.0  # between two looks into the journal
RETRY_SECONDS = 30.0  # after trouble
LAST_SECONDS = 5.0  # that the end of a run waits for a server
LAST_SQLITE_SECONDS = 120.0  # and for a file: other jobs may be writing it, and a locked one fails by itself
SILENT_SECONDS = 0.5  # and for a server that has let an earlier run of this process wait in vain

_silent: set[str] = set()  # URIs of such servers


class Mirror:
    """A thread that keeps the store as the journal says. The first trouble is one warning, and it tries again.

    Parameters
    ----------
    tracking : TrackingSlice
    journal : Journal

    Raises
    ------
    Exception
        MLflow cannot be imported.
    """

    def __init__(self, tracking: TrackingSlice, journal: Journal) -> None:
        import_mlflow()  # here: a fork during an import in a thread could block a data loader's process
        self._tracking = tracking
        self._results = results_of(journal.path)
        self._reader = Reader(journal.path)
        self._content = Content()
        self._target: Target | None = None
        self._warned = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mlflow", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Bring the rest, if that is a matter of seconds; the sync does it else."""
        self._closing.set()
        uri = self._tracking.uri
        patience = LAST_SQLITE_SECONDS if uri.startswith("sqlite:") else LAST_SECONDS
        self._thread.join(SILENT_SECONDS if uri in _silent else patience)
        if self._thread.is_alive():
            _silent.add(uri)
            self._warn(TimeoutError("it does not answer in time"))

    def _run(self) -> None:
        due = 0.0
        while True:
            last = self._closing.is_set()
            if last or time.monotonic() >= due:
                due = time.monotonic() + (TICK_SECONDS if self._update() else RETRY_SECONDS)
            if last:
                break
            self._closing.wait(max(0.0, due - time.monotonic()))
        self._reader.close()

    def _update(self) -> bool:
        """Bring what is new; False where that failed."""
        try:
            if not self._reader.lock():  # a `tracking sync` is at it
                return True
            self._reader.read(self._content)
            if self._target is None:
                self._target = Target(Store(self._tracking), self._content, self._results)
            else:
                self._target.store.check()
            self._target.bring(self._content)
            self._content.metrics.clear()
        except Exception as error:  # whatever MLflow, its database driver or its server come up with
            self._warn(error)
            # What has arrived is not known: all is read again and compared with the store.
            self._target, self._content = None, Content()
            self._reader.rewind()
            return False
        return True

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            warn(self._tracking.uri, error)


def warn(uri: str, error: Exception) -> None:
    """Say once a run that MLflow cannot be had."""
    reason = next(iter(str(error).strip().splitlines()), "")[:300]
    text = (
        f"MLflow ({uri}) is out of reach, this run goes on without it: {type(error).__name__}: {reason}."
        " `python -m ecglfm tracking sync` makes up for what it lacks in the end"
    )
    logger.warning("%s", without_password(text))
