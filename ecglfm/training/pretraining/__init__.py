"""The stage `pretrain`: an encoder learns from recordings without labels."""

from __future__ import annotations

from ecglfm.training.pretraining.encoders import build_encoder, crop_seconds, write_untrained
from ecglfm.training.pretraining.loop import Update, peak_of_process, update
from ecglfm.training.pretraining.pretrain import run_pretrain
from ecglfm.training.pretraining.upcoming import Upcoming

__all__ = [
    "Upcoming",
    "Update",
    "build_encoder",
    "crop_seconds",
    "peak_of_process",
    "run_pretrain",
    "update",
    "write_untrained",
]
