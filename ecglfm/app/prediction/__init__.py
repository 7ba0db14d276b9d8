"""`ecglfm predict`: what a fine-tuned model says of recordings that a person names."""

from __future__ import annotations

from ecglfm.app.prediction.predict import run_predict
from ecglfm.app.prediction.predictor import Predictor
from ecglfm.app.prediction.preparation import Prepared
from ecglfm.app.prediction.recordings import FromFiles, FromSource, Reader, Recording

__all__ = ["FromFiles", "FromSource", "Predictor", "Prepared", "Reader", "Recording", "run_predict"]
