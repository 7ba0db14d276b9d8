"""What a training, pretraining or fine-tuning, has on the disk while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from torch import nn

from ecglfm import distributed
from ecglfm.lock import Lock
from ecglfm.training.checkpoints.checkpoint import Checkpoints
from ecglfm.training.checkpoints.pieces import Piece, Pieces
from ecglfm.training.checkpoints.saver import Saver
from ecglfm.training.checkpoints.state import (
    pieces_of,
    restore_average,
    restore_optimizer,
    restore_scaler,
    restore_weights,
    scaler_state,
)
from ecglfm.training.ema import EMA


class SavedTraining:
    """State of one training on the disk; a context manager that holds its folder's lock.

    The lock, `<folder>.lock`, lies beside the folder, which may be renamed while it is opened (`Checkpoints.open_run`)
    and removed at the end.

    Parameters
    ----------
    checkpoints : Checkpoints
    total : int, optional
        Steps asked for, as for `Checkpoints.open_run`.

    Attributes
    ----------
    step : int
        Of the newest whole checkpoint, from which the training goes on; 0: there is none.
    state : dict
        What `save` was given then; empty where there is none.
    pieces : Pieces or None
        Its tensors, until they were restored.
    saver : Saver
    """

    def __init__(self, checkpoints: Checkpoints, total: int | None = None) -> None:
        self.checkpoints, self._total = checkpoints, total
        self.saver = Saver(checkpoints)
        self.step = 0
        self.state: dict[str, Any] = {}
        self.pieces: Pieces | None = None
        self._lock: Lock | None = None
        self._notes: dict[str, Any] = {}

    def __enter__(self) -> SavedTraining:
        try:
            self.step = distributed.from_main(self._open)
            if self.step:
                self.pieces, self.state = self.checkpoints.load(self.step)
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if distributed.world_size() == 1:  # of several, one that failed alone would wait for the others
                self.saver.finish()
        finally:
            self._release()

    def _open(self) -> int:
        """Take the folder, on rank 0; returns the step to go on from."""
        folder = self.checkpoints.folder
        self._lock = Lock(folder.with_name(f"{folder.name}.lock"))
        if (inside := folder / "lock").exists():  # of an earlier version of ours, which may still be training
            Lock(inside).release()
        self._notes = self.checkpoints.open_run(self._total)
        return self.checkpoints.newest()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def run_key(self) -> str | None:
        """`Run.key` of the run that the training began; of rank 0."""
        return self._notes.get("run")

    def note(self, run_key: str | None) -> None:
        """Remember the run, so that a resumed training goes on with it; rank 0 only."""
        if run_key is not None:
            self.checkpoints.note(self._notes | {"run": run_key})

    def restore_weights(self, module: nn.Module) -> None:
        """Give a module the weights that learn and the buffers, before DeepSpeed cuts it up."""
        if self.pieces is not None:
            restore_weights(module, self.pieces)

    def restore_engine(self, engine: Any, ema: EMA | None = None) -> Pieces | None:
        """Give an engine the state of its optimizer and loss scaler, and a moving average what it was.

        Returns
        -------
        Pieces or None
            The checkpoint, for what else is in it; nothing keeps its files open but this.
        """
        pieces, self.pieces = self.pieces, None
        if pieces is not None:
            restore_optimizer(engine, pieces)
            restore_scaler(engine, self.state["scaler"])
        if pieces is not None and ema is not None:
            restore_average(ema, pieces)
        return pieces

    def save(
        self, engine: Any, step: int, state: Mapping[str, Any], *,
        ema: EMA | None = None, pieces: Sequence[Piece] = (), notes: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Have a checkpoint written while the training goes on; every rank must call it.

        Parameters
        ----------
        engine : DeepSpeedEngine
        step : int
            Its number: larger than that of any before.
        state : mapping
            Besides the engine's: the same on every rank, what JSON can hold.
        ema : EMA, optional
        pieces : sequence of Piece
            This rank's, besides the engine's and the average's.
        notes : mapping of str to str, optional
            This rank's, besides the engine's; they come back in `Pieces.notes`.
        """
        own, about = pieces_of(engine, ema)
        content = {**state, "scaler": scaler_state(engine)}
        self.saver.save([*own, *pieces], step, content, {**about, **(notes or {})})

    def remove(self) -> None:
        """Nobody will go on from here: remove the state, and states of other settings that were put aside; rank 0."""
        self.checkpoints.remove()
