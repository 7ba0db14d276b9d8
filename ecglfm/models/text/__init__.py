"""Text beside the signal: encoders of reports, and what brings them and recordings into one space."""

from __future__ import annotations

from ecglfm.models.text.alignment import Alignment, copy_alignment, write_alignment
from ecglfm.models.text.encoders import text_encoder
from ecglfm.models.text.prompts import say_labels

__all__ = ["Alignment", "copy_alignment", "say_labels", "text_encoder", "write_alignment"]
