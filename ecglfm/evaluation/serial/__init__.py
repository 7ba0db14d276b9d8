"""Serial ECGs: how much of a score, or of an embedding, is the person and stays, by the time between recordings."""

from __future__ import annotations

from ecglfm.evaluation.serial.pairs import days_of, recording_days
from ecglfm.evaluation.serial.reliability import reliability as intraclass_correlations
from ecglfm.evaluation.serial.serial import run_serial

__all__ = ["days_of", "intraclass_correlations", "recording_days", "run_serial"]
