"""A model as MLflow serves it: JSON recordings go in, rows of `ecglfm predict` come out.

What MLflow stores is a script of two lines that asks for `served_model`, and the model's own folder, JSON and
safetensors: nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecglfm.app.prediction import Predictor
from ecglfm.app.serving.body import BodyError, records_of
from ecglfm.extras import need

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.pyfunc import PythonModel

ARTIFACT = "model"  # name of the model's folder among MLflow's
AT = "at"  # times at which a survival model says a risk, in MLflow's config of the model
SCRIPT = '''\
"""Models from code: what this imports is the package ecglfm, and what it serves lies in the folder `artifacts`."""

from mlflow.models import set_model

from ecglfm.app.serving.served import served_model

set_model(served_model())
'''


def answer(predictor: Predictor, rows: Sequence[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Rows of `Predictor.answer` without `record` and `patient_id`, which nobody said; raises `BodyError`."""
    prepared = [predictor.prepare(record) for record in records_of(rows)]
    hidden = ("record", "patient_id")
    return [{key: value for key, value in row.items() if key not in hidden} for row in predictor.answer(prepared)]


def served_model() -> PythonModel:
    """What MLflow's server loads and asks."""
    need("mlflow", extra="serve", what="serving")
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
    from mlflow.pyfunc import PythonModel

    class Refused(MlflowException):
        """Status 400 and one sentence; MLflow would write the whole body before it."""

        def __init__(self, sentence: str) -> None:
            super().__init__(sentence, error_code=INVALID_PARAMETER_VALUE)
            self.sentence = sentence

        def serialize_as_json(self) -> str:
            return json.dumps({"error_code": self.error_code, "message": self.sentence})

    class Served(PythonModel):
        """A `Predictor` behind MLflow's door."""

        def load_context(self, context: Any) -> None:
            """Read the model once."""
            at = (context.model_config or {}).get(AT, [])
            self.predictor = Predictor.load([Path(context.artifacts[ARTIFACT])], at=at)

        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> list[dict[str, Any]]:
            """Answer the recordings of a body, a row for each."""
            try:
                return answer(self.predictor, model_input.to_dict("records"))
            except BodyError as error:
                raise Refused(str(error)) from None

    return Served()
