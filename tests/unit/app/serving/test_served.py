"""The server says what `ecglfm predict` says, to the right client, and bad bodies are told what is wrong."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ecglfm
from ecglfm.benchmark.app.serve import ask, ask_many, body
from ecglfm.cli import main
from tests.unit.app.prediction.test_predict import LABELS, write_wfdb
from tests.unit.app.serving.conftest import Place, make_serve

RECORDS = [("a", 5.0, 500), ("b", 10.0, 400), ("c", 1.0, 500), ("d", 7.3, 500), ("e", 4.0, 400), ("f", 2.0, 500)]


@pytest.fixture(scope="module")
def predicted(place: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], pd.DataFrame]:
    """Recordings in files, with leads in another order than the model's, and the table of `ecglfm predict`."""
    folder = tmp_path_factory.mktemp("files")
    paths = [write_wfdb(folder, name, seconds=s, rate=rate, seed=k) for k, (name, s, rate) in enumerate(RECORDS)]
    arguments = ["predict", "--model", str(place.model), *map(str, paths), "--output", str(folder / "p.csv")]
    assert main(arguments) == 0
    return paths, pd.read_csv(folder / "p.csv", keep_default_na=False)


def as_body(path: Path, *, unit: str = "mV") -> bytes:
    record = ecglfm.read_record(path)
    factor = {"mV": 1.0, "uV": 1000.0}[unit]
    order = np.random.default_rng(0).permutation(12)
    return body(record.signal.T[order] * factor, [record.leads[k] for k in order], record.sampling_rate, unit=unit)


def test_the_answers_are_those_of_predict(place: Place, predicted: tuple[list[Path], pd.DataFrame]):
    paths, table = predicted
    for unit in ("mV", "uV"):
        for path, (_, expected) in zip(paths, table.iterrows(), strict=True):
            (row,) = ask(place.url, as_body(path, unit=unit)).rows
            assert set(row) == set(table) - {"record", "patient_id"}
            for label in LABELS:
                assert row[f"probability.{label}"] == pytest.approx(expected[f"probability.{label}"], abs=1e-5)
                assert row[f"decision.{label}"] == expected[f"decision.{label}"]
            assert (row["flags"], row["abstained"], row["reason"]) == (expected["flags"], False, "")


def test_eight_at_once_get_each_its_own_answer(place: Place, predicted: tuple[list[Path], pd.DataFrame]):
    paths, table = predicted
    bodies = [as_body(path) for path in paths]
    chosen = np.random.default_rng(1).integers(0, len(paths), 48)
    answers = ask_many(place.url, [bodies[k] for k in chosen], concurrency=8)
    said = [answer.rows[0]["probability.AF"] for answer in answers]
    np.testing.assert_allclose(said, table["probability.AF"].to_numpy()[chosen], atol=1e-5)
    assert table["probability.AF"].nunique() == len(paths)


def test_several_recordings_and_one_that_cannot_be_used(place: Place, predicted: tuple[list[Path], pd.DataFrame]):
    paths, table = predicted
    flat = {"signal": [[0.0] * 1000] * 12, "leads": list(ecglfm.read_record(paths[0]).leads), "sampling_rate": 500}
    rows = [json.loads(as_body(path))["dataframe_records"][0] for path in paths[:2]]
    found = ask(place.url, json.dumps({"inputs": [rows[0], flat, rows[1]]}).encode()).rows
    assert [row["abstained"] for row in found] == [False, True, False]
    assert found[1]["reason"].startswith("amplitude: 0 mV, limits 0.2 to 6")
    assert found[1]["probability.AF"] is None
    assert found[2]["probability.AF"] == pytest.approx(table["probability.AF"][1], abs=1e-5)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"dataframe_records": [{"signal": [[1, 2]], "leads": ["I"]}]}, "recording 0: `sampling_rate` lacking; say signal, leads, sampling_rate"),
        ({"dataframe_records": [{"signal": [[1, 2], [3]], "leads": ["I", "II"], "sampling_rate": 500}]}, "recording 0: `signal` is no list of leads with equally many numbers each"),
        ({"dataframe_records": []}, "0 recordings; send 1 to 256 at a time"),
        ({"recording": 1}, "The input must be a JSON dictionary with exactly one of the input fields"),
        (b"{nonsense", "Ensure that input is a valid JSON formatted string."),
    ],
)  # fmt: skip
def test_a_bad_body_is_400_and_a_sentence(place: Place, content: object, sentence: str):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    request = urllib.request.Request(f"{place.url}/invocations", data, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    told = json.loads(refused.value.read())
    assert refused.value.code == 400
    if told["error_code"] == "INVALID_PARAMETER_VALUE":  # ours
        assert told["message"] == sentence
    else:
        assert sentence in told["message"]


def test_it_listens_on_this_machine_alone(place: Place):
    assert f"Uvicorn running on {place.url} " in place.log.read_text()
    assert place.url.startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_said_before_a_model_is_loaded(repository: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command, settings = make_serve(repository, Path("nowhere"), port)
        done = subprocess.run(command, cwd=repository, env=settings, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert f"make serve: port {port} is taken, or none; say another: SERVE_PORT=5002" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_benchmark_counts_what_it_asks(place: Place, capsys: pytest.CaptureFixture[str]):
    assert main(["benchmark", "serve", "--url", place.url, "--requests", "10", "--concurrency", "3"]) == 0
    one, three = capsys.readouterr().out.splitlines()
    assert one.startswith("serve, 1 requests, 1 at once: 0 lost; median ")
    assert three.startswith("serve, 10 requests, 3 at once: 0 lost; median ")
