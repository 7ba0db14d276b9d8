"""`ecglfm predict`: what a fine-tuned model says of recordings that a person names."""

from __future__ import annotations

from ecglfm.app.prediction.horizons import percents
from ecglfm.app.prediction.predict import run_predict
from ecglfm.app.prediction.predictor import Predictor
from ecglfm.app.prediction.preparation import Prepared, Preparer, prepare_record, prepared_together
from ecglfm.app.prediction.previous import Earlier
from ecglfm.app.prediction.recordings import FromFiles, FromSource, Reader, Recording, Records, named

__all__ = [
    "Earlier",
    "FromFiles",
    "FromSource",
    "Predictor",
    "Prepared",
    "Preparer",
    "Reader",
    "Recording",
    "Records",
    "named",
    "percents",
    "prepare_record",
    "prepared_together",
    "run_predict",
]
