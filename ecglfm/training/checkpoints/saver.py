"""Checkpoints are written while the training goes on, which waits for a copy in memory only.

A thread of each rank writes the copy; when all are done, which is asked at later updates, that of rank 0 gives the
checkpoint its name.
"""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

from ecglfm import distributed
from ecglfm.training.checkpoints.checkpoint import Checkpoints, file_of
from ecglfm.training.checkpoints.pieces import Copy, Piece

logger = logging.getLogger(__name__)


class _Save(NamedTuple):
    """One that is under way."""

    step: int
    state: str  # JSON
    work: Future[Any]  # the write of this rank's file; then, where `naming`, what rank 0 does with all of them
    naming: bool = False


class Saver:
    """Writes the checkpoints of a training, one at a time.

    Parameters
    ----------
    checkpoints : Checkpoints

    Attributes
    ----------
    waited, wrote : float
        Seconds that the training waited for the newest save, and that the write of this rank's file took.
    """

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints
        self.waited = self.wrote = 0.0
        self._copy = Copy()
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._pending: _Save | None = None

    @property
    def pending(self) -> bool:
        """Whether a checkpoint is under way, or older ones that it replaces are being removed."""
        return self._pending is not None

    def save(self, pieces: list[Piece], step: int, state: dict[str, Any], notes: dict[str, str] | None = None) -> None:
        """Copy the state after update number `step` and have it written; every rank must call it.

        An earlier save is waited for.

        Parameters
        ----------
        pieces : list of Piece
            This rank's.
        step : int
        state : dict
            The rest, the same on every rank; what JSON can hold.
        notes : dict, optional
            Of the pieces.
        """
        began = time.perf_counter()
        self.finish()
        self._copy.take(pieces, notes or {})
        self._pending = _Save(step, json.dumps(state, allow_nan=False), self._thread.submit(self._write, step))
        self.waited = time.perf_counter() - began

    @property
    def busy(self) -> bool:
        """Whether this rank is at work on a checkpoint that is under way."""
        return self._pending is not None and not self._pending.work.done()

    def poll(self, busy: bool | None = None) -> None:
        """Bring the pending checkpoint on as far as all ranks are; every rank must call it, at each update.

        Parameters
        ----------
        busy : bool, optional
            Whether any rank is, where they were asked already, since the last `save` or `poll`.

        Raises
        ------
        UserError
            On rank 0, where it could not be written: what was written is removed, older ones are as they were.
        SystemExit
            On the other ranks then.
        """
        if self._pending is None:
            return
        if not (distributed.any_rank(self.busy) if busy is None else busy):
            self._advance(self._pending)

    def finish(self) -> None:
        """Wait until the pending checkpoint is whole; every rank must call it. Raises as `poll`."""
        began = time.perf_counter()
        while self._pending is not None:
            wait([self._pending.work])
            distributed.barrier()
            self._advance(self._pending)
        self.waited += time.perf_counter() - began

    def _write(self, step: int) -> dict[str, Any]:
        """In the thread: write this rank's file."""
        began = time.perf_counter()
        folder = self.checkpoints.unfinished(step)
        folder.mkdir(parents=True, exist_ok=True)
        note = self._copy.write(folder / file_of(distributed.rank()))
        self.wrote = time.perf_counter() - began
        return note

    def _name(self, save: _Save, notes: list[dict[str, Any]]) -> int:
        """In the thread of rank 0: make a checkpoint of what the ranks have written."""
        self.checkpoints.complete(save.step, save.state, notes)
        logger.info(
            "saved %s: %.1f MB, written in %.1f s; the training waited %.2f s",
            self.checkpoints.path(save.step), sum(note["size"] for note in notes) / 1e6, self.wrote, self.waited,
        )  # fmt: skip
        return 0

    def _advance(self, save: _Save) -> None:
        """All ranks have done what was to be done: have rank 0 name the checkpoint, or see that it has."""
        self._pending = None
        if save.naming:
            distributed.from_main(save.work.result)
            return
        error = save.work.exception()
        if error is not None and not isinstance(error, OSError):
            raise error
        said = distributed.gather(json.dumps({"error": str(error)} if error else save.work.result()))
        notes = [json.loads(text) for text in said]
        if errors := [note["error"] for note in notes if "error" in note]:
            distributed.from_main(lambda: self.checkpoints.give_up(save.step, errors[0]))
        work = self._thread.submit(self._name, save, notes) if distributed.is_main() else save.work
        self._pending = save._replace(work=work, naming=True)
