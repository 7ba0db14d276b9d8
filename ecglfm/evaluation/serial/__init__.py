"""Serial ECGs: how much of a score, or of an embedding, is the person and stays, by the time between recordings."""

from __future__ import annotations

from ecglfm.evaluation.serial.serial import run_serial

__all__ = ["run_serial"]
