"""The state of a training on disk: whole or not there, of one config, written while the training goes on."""

from __future__ import annotations

from ecglfm.training.checkpoints.checkpoint import Checkpoints, config_hash, decisive
from ecglfm.training.checkpoints.pieces import Piece, Pieces
from ecglfm.training.checkpoints.saved import SavedTraining
from ecglfm.training.checkpoints.saver import Saver
from ecglfm.training.checkpoints.state import pieces_of, restore_optimizer

__all__ = [
    "Checkpoints",
    "Piece",
    "Pieces",
    "SavedTraining",
    "Saver",
    "config_hash",
    "decisive",
    "pieces_of",
    "restore_optimizer",
]
