"""A fine-tuned model goes to MLflow's registry: `ecglfm register`."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ecglfm import __version__
from ecglfm.app.handover import invented
from ecglfm.app.prediction import Predictor
from ecglfm.app.serving.served import ARTIFACT, AT, SCRIPT, answer
from ecglfm.config import LEADS, TrackingSlice, UserError
from ecglfm.extras import need
from ecglfm.provenance import sha256_file, sha256_json

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

#: The tag by which a model that is registered already is known.
CONTENT_TAG = "ecglfm.sha256"
STAGE = "serve"  # the experiment
RATE, SECONDS = 500.0, 2.0  # of the example, an invented heart


class Registered(NamedTuple):
    """A version in the registry, at the URI `store`; `new` is false where it was there before."""

    name: str
    version: str
    store: str
    new: bool

    @property
    def uri(self) -> str:
        """What `mlflow models serve -m` takes."""
        return f"models:/{self.name}/{self.version}"


def register_model(
    folder: Path, tracking: TrackingSlice, *, name: str | None = None, at: Sequence[float] = ()
) -> Registered:
    """Register the model that `finetune` wrote, once, however often it is asked for.

    Parameters
    ----------
    folder : path
        Of the model.
    tracking : TrackingSlice
        Where MLflow is.
    name : str, optional
        In the registry; `{encoder}-{task}-{fit}` by default. Another training is another version of it.
    at : sequence of float
        Times at which a survival model says a risk; others are another version, too.

    Raises
    ------
    UserError
        The model cannot be read or says no risk at these times, the name is none, or MLflow does not answer.
    """
    need("mlflow", extra="serve", what="register")
    predictor = Predictor.load([folder], at=at)
    info = predictor.models[0].info
    name = name or _name(folder, info)
    if not re.fullmatch(r"[^/:\s][^/:]*", name):
        raise UserError(f"--name {name!r}: MLflow's names have neither `/` nor `:`")
    from ecglfm.tracking.store import Store, without_password

    try:
        store = Store(tracking)
        return _register(store, predictor, folder, name, sorted(set(at)))
    except OSError as error:
        raise UserError(f"MLflow at {without_password(tracking.uri)} does not answer: {error}") from None


def _name(folder: Path, info: dict[str, Any]) -> str:
    parts = [info.get("encoder", {}).get("name"), info.get("task"), info.get("fit")]
    return re.sub(r"[/:]", "_", "-".join(str(part) for part in parts if part) or folder.resolve().name)


def _files(folder: Path) -> list[Path]:
    """What a model consists of: no history, no checkpoint."""
    return sorted(path for path in folder.iterdir() if path.suffix in {".json", ".safetensors"} and path.is_file())


def _register(store: Any, predictor: Predictor, folder: Path, name: str, at: list[float]) -> Registered:
    need("mlflow", extra="serve", what="register")
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    from ecglfm.tracking.store import without_password

    client = MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)
    info = predictor.models[0].info
    about: dict[str, Any] = {path.name: sha256_file(path) for path in _files(folder)}
    content = sha256_json(about | ({"at": at} if at else {}))
    try:
        for version in client.search_model_versions(f"name = '{name}'"):
            if version.tags.get(CONTENT_TAG) == content:
                return Registered(name, str(version.version), store.uri, new=False)
        mlflow.set_tracking_uri(store.uri)
        mlflow.set_registry_uri(store.uri)
        with mlflow.start_run(experiment_id=store.experiment(STAGE), run_name=name):
            logged = _log(predictor, folder, at)
        tags = {key: str(info[key]) for key in ("task", "fit", "config_hash", "data_hash") if info.get(key)}
        made = mlflow.register_model(logged, name, tags={**tags, CONTENT_TAG: content})
    except MlflowException as error:
        said = " ".join(without_password(str(error)).split())[:300]
        raise UserError(f"MLflow at {without_password(store.uri)}: {said}") from None
    return Registered(name, str(made.version), store.uri, new=True)


def _log(predictor: Predictor, folder: Path, at: list[float]) -> str:
    """Copy the model and the script that serves it into the run; their URI."""
    need("mlflow", extra="serve", what="register")
    import mlflow

    signal = np.nan_to_num(invented(RATE, seconds=SECONDS))
    example = [{"signal": signal.T.tolist(), "leads": list(LEADS), "sampling_rate": RATE, "unit": "mV"}]
    with tempfile.TemporaryDirectory(prefix="ecglfm-register.") as temporary:
        script, model = Path(temporary) / "served.py", Path(temporary) / ARTIFACT
        script.write_text(SCRIPT, encoding="utf-8")
        model.mkdir()
        for path in _files(folder):
            shutil.copyfile(path, model / path.name)
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(script),
            artifacts={ARTIFACT: str(model)},
            model_config={AT: at},
            signature=signature(predictor, example),
            input_example=pd.DataFrame(example),
            pip_requirements=[f"ecglfm[serve]=={__version__}"],  # else MLflow guesses, for a minute
        )
    return str(logged.model_uri)


def signature(predictor: Predictor, rows: list[dict[str, Any]]) -> ModelSignature:
    """What MLflow says goes in and comes out; checked by `records_of`, which says what is wrong in a sentence."""
    need("mlflow", extra="serve", what="register")
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

    any_type = AnyType()
    inputs = Schema([ColSpec(any_type, key, required=False) for key in rows[0]])
    (said,) = answer(predictor, rows)
    outputs = Schema([ColSpec(DataType[output_type(key)], key, required=False) for key in said])
    return ModelSignature(inputs, outputs)


def output_type(key: str) -> str:
    """MLflow's type of a column of the answer; by its name, because where there is no answer it is null."""
    words = {"decision": "boolean", "abstained": "boolean", "set": "string", "flags": "string", "reason": "string"}
    return words.get(key.partition(".")[0], "double")
