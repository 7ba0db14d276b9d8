"""A fine-tuning that was killed or stopped goes on from its last saved state, and ends as one that was not.

Until the model is written, `<output>/checkpoints/` holds that state, in the form of a pretraining's checkpoints: the
weights that learn, Adam's moments, the loss scaler, the best epoch with its weights, and the rows of history.csv.
Learning rates, order of the data and crops have none: they are functions of the seed and the epoch. Every epoch is
saved; where a save takes longer than a second, so many that saves take a twentieth of the time at most. A signal has it
saved within an epoch, too: then the outputs of its batches and the generators, from which dropout is drawn, belong to
the state. Which states are saved changes nothing in the result. Gradients of half an update are never kept
(`accumulate`): a save that would need them waits for the next whole one.
"""

from __future__ import annotations

import json
import logging
import math
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from ecglfm import distributed
from ecglfm.config import FinetuneConfig
from ecglfm.training.checkpoints import Piece, Pieces, SavedTraining
from ecglfm.training.engine import full_state_dict
from ecglfm.training.finetuning.history import EpochPart, TrainingHistory

logger = logging.getLogger(__name__)

_QUICK = 1.0  # s that a save may take after every epoch
_SHARE = 20  # times as long as a slower one lasted pass until the next


def saved_epochs(saved: SavedTraining) -> int:
    """Finished epochs of a state; before states within epochs there were, that was its step."""
    return int(saved.state.get("epochs", saved.step))


class FitState:
    """Where a fit stands: what it trains, what it did, and where that is saved.

    Parameters
    ----------
    saved : SavedTraining or None
        Nothing is saved or restored without.
    engine : DeepSpeedEngine
    module : Module
        The engine's.
    history : TrainingHistory
    config : FinetuneConfig
    forwards : int
        Batches of an epoch.
    """

    def __init__(
        self, saved: SavedTraining | None, engine: Any, module: nn.Module, history: TrainingHistory,
        config: FinetuneConfig, forwards: int,
    ) -> None:  # fmt: skip
        self._saved, self._engine, self._module, self.history = saved, engine, module, history
        self._epochs, self._accumulate, self._forwards = config.epochs, config.accumulate, forwards
        self._due = 0.0  # time.monotonic() from which the next save is due

    @property
    def is_whole(self) -> bool:
        """Whether no update is half done."""
        return (self.history.epochs * self._forwards + self.history.part.batches) % self._accumulate == 0

    def restore(self) -> None:
        """Go on from the saved state, if there is one."""
        pieces = None if self._saved is None else self._saved.restore_engine(self._engine)
        if self._saved is None or pieces is None:
            return
        state, history = self._saved.state, self.history
        self._engine.global_steps = state["updates"]
        history.epochs = saved_epochs(self._saved)
        history.best.epoch, history.best.value = state["best_epoch"], state["best_value"]
        history.rows = [
            {key: math.nan if value is None else value for key, value in row.items()} for row in state["rows"]
        ]
        if state["best"]:
            weights = full_state_dict(self._engine, self._module)
            history.weights = {name: value.clone() for name, value in weights.items()}
        for name in state["best"]:
            pieces.read("best", name, 0, history.weights[name])
        history.part = _read_part(pieces) if state.get("batches") else EpochPart()
        logger.info("resumed after %s", self.describe())

    def describe(self) -> str:
        """Where the fit is."""
        within = f" and batch {self.history.part.batches} of {self._forwards}" if self.history.part.batches else ""
        return f"epoch {self.history.epochs} of {self._epochs}{within}"

    def save_epoch(self) -> None:
        """Write the state after an epoch, where that is due; every rank must call it."""
        began = time.monotonic()
        if self._saved is None or not self.is_whole or distributed.any_rank(began < self._due):
            return
        self.save()
        ended = time.monotonic()
        self._due = ended + (_SHARE * (ended - began) if ended - began > _QUICK else 0)

    def save(self) -> None:
        """Write the state and wait for it; every rank must call it."""
        history = self.history
        # An epoch has a place for each batch, and one for its end: the state after the last batch is before validation.
        place = history.epochs * (self._forwards + 1) + history.part.batches
        if self._saved is None or place == self._saved.step:  # stopped where it began
            return
        frozen = {name for name, parameter in self._module.named_parameters() if not parameter.requires_grad}
        best = {name: value for name, value in history.weights.items() if name not in frozen}
        pieces, notes = _part_pieces(history.part) if history.part.batches else ([], {})
        if distributed.is_main():
            pieces += [Piece("best", name, 0, value.reshape(-1)) for name, value in best.items()]
        state = {
            "epochs": history.epochs,
            "batches": history.part.batches,
            "updates": self._engine.global_steps,
            "best_epoch": history.best.epoch,
            "best_value": history.best.value,
            "best": list(best),
            "rows": [{key: None if value != value else value for key, value in row.items()} for row in history.rows],
        }
        self._saved.save(self._engine, place, state, pieces=pieces, notes=notes)
        self._saved.saver.finish()


def _part_pieces(part: EpochPart) -> tuple[list[Piece], dict[str, str]]:
    """What this rank has to save of half an epoch."""
    values = {"outputs": np.concatenate(part.outputs), "targets": np.concatenate(part.targets)}
    note = {"batches": part.batches, "loss": part.loss, "known": part.known, "random": list(_random())}
    tensors = {name: torch.from_numpy(value).reshape(-1) for name, value in values.items()} | _random()
    pieces = [Piece("part", f"{distributed.rank()}.{name}", 0, tensor) for name, tensor in tensors.items()]
    return pieces, {"part": json.dumps(note | {name: value.shape for name, value in values.items()})}


def _read_part(pieces: Pieces) -> EpochPart:
    """The same of a checkpoint, which as many ranks have written."""
    note = json.loads(pieces.notes[distributed.rank()]["part"])
    values = {name: torch.empty(note[name]) for name in ("outputs", "targets")}
    random = {name: state for name, state in _random().items() if name in note["random"]}
    for name, tensor in (values | random).items():
        pieces.read("part", f"{distributed.rank()}.{name}", 0, tensor)
    outputs, targets = ([value.numpy()] for value in values.values())
    return EpochPart(note["batches"], note["loss"], note["known"], outputs, targets, random)


def _random() -> dict[str, torch.Tensor]:
    """States of the generators that dropout is drawn from."""
    states = {"cpu": torch.get_rng_state()}
    return states | {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else states
