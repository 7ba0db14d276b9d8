"""Where the course of a training is written: `history.csv` first, then a journal, and MLflow from that."""

from __future__ import annotations

from ecglfm.tracking.history import History
from ecglfm.tracking.run import Run, flatten, standard_tags, start_run

__all__ = ["History", "Run", "flatten", "standard_tags", "start_run"]
