"""What in a recording speaks for a model's answer."""

from __future__ import annotations

from ecglfm.evaluation.attribution.gradients import TOLERANCE, Attribution, attribute
from ecglfm.evaluation.attribution.mean_beats import choose_records, draw_mean_beats, mean_beat
from ecglfm.evaluation.attribution.score import Score

__all__ = ["TOLERANCE", "Attribution", "Score", "attribute", "choose_records", "draw_mean_beats", "mean_beat"]
