"""A fine-tuning that was killed goes on after its last saved epoch, and ends as one that was not.

Until the model is written, `<output>/checkpoints/` holds the state after that epoch, in the form of a pretraining's
checkpoints: the weights that learn, Adam's moments, the loss scaler, the best epoch with its weights, and the rows of
history.csv. Nothing else has a state: learning rates, order of the data, crops and dropout are functions of the seed
and the epoch. Gradients of half an update are not kept: where the batches of an epoch are no multiple of `accumulate`,
only epochs that end with an update are saved. Where a save takes longer than a second, saves are spread so that they
take a twentieth of the time at most; which epochs are saved changes nothing in the result.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import nn

from ecglfm import distributed
from ecglfm.config import FinetuneConfig
from ecglfm.tracking import Run
from ecglfm.training.checkpoints import (
    Checkpoints,
    Lock,
    Piece,
    Pieces,
    Saver,
    pieces_of,
    restore_optimizer,
    restore_scaler,
    restore_weights,
    scaler_state,
)
from ecglfm.training.engine import full_state_dict
from ecglfm.training.finetuning.course import Course

logger = logging.getLogger(__name__)

_QUICK = 1.0  # s that a save may take after every epoch
_SHARE = 20  # times as long as a slower one lasted pass until the next


class SavedFit:
    """State of one fit on the disk; a context manager that holds its folder's lock.

    Parameters
    ----------
    output : path
        Folder of the model.
    config : FinetuneConfig
    **identity
        Hashes of what makes this fit this fit: `config_hash`, `data_hash`, `encoder_hash`. A state with others is put
        aside with a warning, and the fit starts anew.

    Attributes
    ----------
    epoch : int
        The last finished one that was saved; 0: none.
    run_key : str or None
        `Run.key` of the run that the fit began.
    """

    def __init__(self, output: Path, config: FinetuneConfig, **identity: str) -> None:
        self._epochs, self._accumulate = config.epochs, config.accumulate
        self._checkpoints = Checkpoints(
            output / "checkpoints",
            config_hash=identity["config_hash"],
            data_hash=identity["data_hash"],
            keep_last=1,
            pairs_per_update=config.batch_size * config.accumulate * distributed.world_size(),
        )
        self._checkpoints.identity |= identity
        self._lock_path = output / "checkpoints.lock"
        self._lock: Lock | None = None
        self._saver = Saver(self._checkpoints)
        self._saved: tuple[Pieces, dict[str, Any]] | None = None
        self._notes: dict[str, Any] = {}
        self._due = 0.0  # time.monotonic() from which the next save is due
        self.epoch = 0

    def __enter__(self) -> SavedFit:
        try:
            self.epoch = distributed.from_main(self._open)
            if self.epoch:
                self._saved = self._checkpoints.load(self.epoch)
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and distributed.is_main():
                self._remove()
        finally:
            if self._lock is not None and kind is None:
                self._lock_path.unlink(missing_ok=True)
            elif self._lock is not None:
                self._lock.release()

    @property
    def run_key(self) -> str | None:
        """Key of the run to continue."""
        return self._notes.get("run")

    def note(self, run: Run) -> None:
        """Remember the run, so that a resumed fit goes on with it; rank 0 only."""
        if run.key is not None:
            self._checkpoints.note(self._notes | {"run": run.key})

    def restore_weights(self, module: nn.Module) -> None:
        """Give a module the weights that learn and the buffers, before DeepSpeed cuts it up."""
        if self._saved is not None:
            restore_weights(module, self._saved[0])

    def restore(self, engine: Any, module: nn.Module, course: Course) -> None:
        """Give an engine the state of its optimizer, and a course what was done."""
        if self._saved is None:
            return
        pieces, state = self._saved
        restore_optimizer(engine, pieces)
        restore_scaler(engine, state["scaler"])
        engine.global_steps = state["updates"]
        course.best.epoch, course.best.value = state["best_epoch"], state["best_value"]
        course.rows = [
            {key: math.nan if value is None else value for key, value in row.items()} for row in state["rows"]
        ]
        course.weights = {name: value.clone() for name, value in full_state_dict(engine, module).items()}
        for name in state["best"]:
            pieces.read("best", name, 0, course.weights[name])
        logger.info("resumed after epoch %d of %d", self.epoch, self._epochs)
        self._saved = None

    def save(self, engine: Any, module: nn.Module, course: Course, epoch: int, forwards: int) -> None:
        """Write the state after an epoch, where that is due; every rank must call it.

        Parameters
        ----------
        engine, module
        course : Course
            With the epoch's rows.
        epoch : int
        forwards : int
            Batches of an epoch.
        """
        began = time.monotonic()
        if epoch * forwards % self._accumulate or distributed.any_rank(began < self._due):
            return
        pieces, notes = pieces_of(engine, None)
        learning = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
        still = {name for name, _ in module.named_parameters()} - learning
        best = {name: value for name, value in course.weights.items() if name not in still}
        if distributed.is_main():
            pieces += [Piece("best", name, 0, value.reshape(-1)) for name, value in best.items()]
        rows = [{key: None if value != value else value for key, value in row.items()} for row in course.rows]
        state = {
            "updates": engine.global_steps,
            "scaler": scaler_state(engine),
            "best_epoch": course.best.epoch,
            "best_value": course.best.value,
            "best": list(best),
            "rows": rows,
        }
        self._saver.save(pieces, epoch, state, notes)
        self._saver.finish()
        ended = time.monotonic()
        self._due = ended + (_SHARE * (ended - began) if ended - began > _QUICK else 0)

    def _open(self) -> int:
        """Take the folder, on rank 0; returns the epoch to go on after."""
        self._lock = Lock(self._lock_path)
        self._notes = self._checkpoints.open_run(self._epochs)
        return self._checkpoints.newest()

    def _remove(self) -> None:
        """The model is there: remove the state, and states of other settings that were put aside."""
        folder = self._checkpoints.folder
        for path in (folder, *folder.parent.glob(f"{folder.name}.set-aside-*")):
            shutil.rmtree(path)
