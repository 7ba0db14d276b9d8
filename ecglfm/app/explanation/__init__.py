"""`ecglfm plot` and `ecglfm explain`: a recording on paper, and what in it speaks for a model's answer."""

from __future__ import annotations

from ecglfm.app.explanation.explanation import Explanation, explain
from ecglfm.app.explanation.page import svg_of
from ecglfm.app.explanation.plot import run_plot
from ecglfm.app.explanation.run import NOTES, run_explain, tables_of
from ecglfm.app.explanation.subject import Subject, look_at

__all__ = [
    "NOTES",
    "Explanation",
    "Subject",
    "explain",
    "look_at",
    "run_explain",
    "run_plot",
    "svg_of",
    "tables_of",
]
