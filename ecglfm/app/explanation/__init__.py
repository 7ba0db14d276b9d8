"""`ecglfm plot` and `ecglfm explain`: a recording on paper, and what in it speaks for a model's answer."""

from __future__ import annotations

from ecglfm.app.explanation.answers import answer_line
from ecglfm.app.explanation.plot import run_plot
from ecglfm.app.explanation.subject import Subject, look_at

__all__ = ["Subject", "answer_line", "look_at", "run_plot"]
