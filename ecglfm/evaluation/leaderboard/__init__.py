"""Encoders, tasks and modes of a project on one board, with what each cost and may have seen."""

from __future__ import annotations

from ecglfm.evaluation.leaderboard.board import run_leaderboard
from ecglfm.evaluation.leaderboard.size import run_encoder_size

__all__ = ["run_encoder_size", "run_leaderboard"]
