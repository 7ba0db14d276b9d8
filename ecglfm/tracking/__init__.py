"""Where the course of a training is written: `history.csv` first, then a journal, and MLflow from that."""

from __future__ import annotations

from ecglfm.tracking.earlier import find_run
from ecglfm.tracking.history import History
from ecglfm.tracking.journal import Content
from ecglfm.tracking.run import Run, standard_tags, start_run

__all__ = ["Content", "History", "Run", "find_run", "standard_tags", "start_run"]
