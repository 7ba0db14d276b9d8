"""What lies in MLflow's registry: JSON, safetensors and a script; once, however often it is asked for."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.models import Model

from ecglfm.app.serving.registry import output_type
from ecglfm.cli import main
from tests.unit.app.prediction.test_horizons import make_survival
from tests.unit.app.prediction.test_predict import make_model
from tests.unit.app.serving.conftest import make_results

NAME = "encoder-t-full-s0"


class Place(NamedTuple):
    """A results folder with one model, and the store in which it is registered."""

    model: Path
    store: str


def register(*arguments: object) -> int:
    return main(["register", *map(str, arguments)])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = Place(*make_results(tmp_path_factory.mktemp("registered")))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert register("--model", made.model) == 0
    assert said.getvalue() == f"models:/{NAME}/1 registered in {made.store}\n"
    return made


def test_nothing_is_pickled_and_it_says_what_goes_in_and_out(place: Place):
    client = MlflowClient(tracking_uri=place.store, registry_uri=place.store)
    (version,) = client.search_model_versions(f"name = '{NAME}'")
    assert (str(version.version), version.tags["task"], version.tags["fit"]) == ("1", "t", "full-s0")
    folder = Path(client.get_model_version_download_uri(NAME, "1").removeprefix("file://"))
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert names - {"registered_model_meta"} == {
        "MLmodel", "artifacts/model/model.json", "artifacts/model/model.safetensors", "conda.yaml", "input_example.json",
        "python_env.yaml", "requirements.txt", "served.py", "serving_input_example.json",
    }  # fmt: skip
    about = Model.load(str(folder / "MLmodel"))
    assert about.signature.inputs.input_names() == ["signal", "leads", "sampling_rate", "unit"]
    types = {column.name: column.type.name for column in about.signature.outputs}
    assert types["probability.AF"] == "double"
    assert (types["decision.AF"], types["flags"]) == ("boolean", "string")
    assert "ecglfm[serve]==" in (folder / "requirements.txt").read_text()
    assert set(about.load_input_example(str(folder)).columns) == {"signal", "leads", "sampling_rate", "unit"}


def test_the_same_model_is_the_same_version(place: Place, capsys: pytest.CaptureFixture[str]):
    assert register("--model", place.model) == 0
    assert capsys.readouterr().out == f"models:/{NAME}/1 was registered before in {place.store}\n"


def test_another_training_is_another_version(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = make_model(tmp_path / "m", seed=1)
    tracking = place.model.parents[3] / "config/tracking.yaml"
    assert register("--model", other, "--name", "mine", "--tracking", tracking) == 0
    assert register("--model", place.model, "--name", "mine", "--tracking", tracking) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"models:/mine/1 registered in {place.store}"
    assert second == f"models:/mine/2 registered in {place.store}"


def test_a_survival_model_is_served_with_its_times(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    model, tracking = make_survival(tmp_path / "m"), place.model.parents[3] / "config/tracking.yaml"
    given = ["--model", model, "--name", "hf", "--tracking", tracking]
    for at in (["--at", 5, 2], ["--at", 2, 5], []):
        assert register(*given, *at) == 0
    said = [line.split(" in ")[0] for line in capsys.readouterr().out.splitlines()]
    assert said == ["models:/hf/1 registered", "models:/hf/1 was registered before", "models:/hf/2 registered"]
    mlflow.set_registry_uri(place.store)
    for version, times in ((1, ["2", "5"]), (2, ["1", "2.5"])):
        loaded = mlflow.pyfunc.load_model(f"models:/hf/{version}")
        (row,) = loaded.predict(loaded.input_example)
        assert [key for key in row if key.endswith(".HF")] == ["risk.HF", *(f"within_{time}.HF" for time in times)]
        types = {column.name: column.type.name for column in loaded.metadata.signature.outputs}
        assert types[f"within_{times[0]}.HF"] == "double"
    assert register(*given, "--at", 7) == 1
    assert "its validation patients were followed for 6" in capsys.readouterr().err


def test_what_cannot_be_is_one_line(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for arguments, message in (
        (["--model", place.model, "--name", "a/b"], "--name 'a/b': MLflow's names have neither `/` nor `:`"),
        (["--model", make_model(tmp_path / "m")], "lies in no results folder; say --tracking"),
        (["--model", tmp_path / "none", "--tracking", place.model.parents[3] / "config/tracking.yaml"], "no such file"),
    ):
        assert register(*arguments) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_a_password_of_the_store_is_not_said(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tracking = tmp_path / "tracking.yaml"
    tracking.write_text(f"uri: http://ann:secret@127.0.0.1:9/\nartifacts: {tmp_path}/a\nenabled: true\n")
    assert register("--model", place.model, "--tracking", tracking) == 1
    said = capsys.readouterr().err
    assert "MLflow at http://127.0.0.1:9/" in said
    assert "secret" not in said


def test_types_do_not_depend_on_whether_the_example_gets_an_answer():
    columns = [
        "probability.AF",
        "threshold.AF",
        "decision.AF",
        "set.AF",
        "prediction.age",
        "abstained",
        "flags",
        "reason",
    ]
    assert [output_type(column) for column in columns] == [
        "double", "double", "boolean", "string", "double", "boolean", "string", "string",
    ]  # fmt: skip
