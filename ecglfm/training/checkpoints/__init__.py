"""The state of a training on disk: whole or not there, of one config, written while the training goes on."""

from __future__ import annotations

from ecglfm.training.checkpoints.checkpoint import Checkpoints, config_hash
from ecglfm.training.checkpoints.lock import Lock
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

__all__ = [
    "Checkpoints",
    "Lock",
    "Piece",
    "Pieces",
    "Saver",
    "config_hash",
    "pieces_of",
    "restore_average",
    "restore_optimizer",
    "restore_scaler",
    "restore_weights",
    "scaler_state",
]
