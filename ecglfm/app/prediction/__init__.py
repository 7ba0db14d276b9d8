"""`ecglfm predict`: what a fine-tuned model says of recordings that a person names."""

from __future__ import annotations

from ecglfm.app.prediction.predict import run_predict
from ecglfm.app.prediction.recordings import FromFiles, FromSource

__all__ = ["FromFiles", "FromSource", "run_predict"]
