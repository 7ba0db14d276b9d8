"""`history.csv` survives kills; MLflow gets everything and can never stop a run."""

from __future__ import annotations

import logging
import math
import os
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecglfm.config import TrackingSlice
from ecglfm.tracking import History, flatten, standard_tags, start_run


def tracking(folder: Path, uri: str | None = None, enabled: bool = True) -> TrackingSlice:
    uri = uri or f"sqlite:///{folder}/mlflow.db"
    return TrackingSlice(uri=uri, artifacts=str(folder / "mlartifacts"), enabled=enabled)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the module: MLflow needs a second to create an SQLite file."""
    return tmp_path_factory.mktemp("tracking")


def client(folder: Path):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")


def test_history_is_a_csv_with_one_header(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.csv"
    History(path, ["step", "loss", "note"]).append({"step": 1, "loss": 0.5, "note": "a,b"})
    History(path, ["step", "loss", "note"]).append({"step": 2, "loss": math.nan})
    assert path.read_text() == 'step,loss,note\n1,0.5,"a,b"\n2,,\n'


def test_history_writes_numpy_numbers_as_plain_numbers(tmp_path: Path) -> None:
    import numpy as np

    history = History(tmp_path / "history.csv", ["step", "a", "b"])
    history.append({"step": np.int64(3), "a": np.float64(0.25), "b": np.float32(1.5)})
    assert history.path.read_text() == "step,a,b\n3,0.25,1.5\n"


@pytest.mark.parametrize("cut", range(1, 30))
def test_history_reopens_after_a_kill_at_any_byte(tmp_path: Path, cut: int) -> None:
    whole = "step,loss\n1,0.5\n2,0.25\n3,1.0\n"
    path = tmp_path / "history.csv"
    path.write_text(whole[:cut])
    history = History(path, ["step", "loss"])
    kept = max(whole[:cut].count("\n") - 1, 0)  # whole lines, without the header
    assert [row["step"] for row in history.rows()] == ["1", "2", "3"][:kept]
    history.append({"step": 9, "loss": 2.0})
    assert path.read_text() == "".join(whole.splitlines(True)[: kept + 1]) + "9,2.0\n"


def test_history_truncates_to_a_step_and_refuses_an_unknown_column(tmp_path: Path) -> None:
    history = History(tmp_path / "history.csv", ["step", "split", "loss"])
    for step in (5, 10, 15):
        history.append({"step": step, "split": "train", "loss": step / 10})
        history.append({"step": step, "split": "valid", "loss": step / 20})
    history.truncate(10)
    assert [(row["step"], row["split"]) for row in history.rows()] == [
        ("5", "train"), ("5", "valid"), ("10", "train"), ("10", "valid")
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'los' is not a column"):
        history.append({"step": 20, "los": 1})


def test_history_carries_rows_over_to_new_columns(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("step,loss\n1,0.5\n")
    assert History(path, ["step", "lr", "loss"]).rows() == [{"step": "1", "lr": "", "loss": "0.5"}]
    assert path.read_text() == "step,lr,loss\n1,,0.5\n"


def test_parameters_are_flat_and_short() -> None:
    flat = flatten({"mask": {"length": 10, "x?": None}, "leads": ["I", "II"], "empty": {}, "text": "y" * 600})
    assert flat["mask.length"] == "10"
    assert flat["mask.x_"] == "None"
    assert flat["leads"] == "['I', 'II']"
    assert flat["empty"] == "{}"
    assert len(flat["text"]) == 500


def test_standard_tags_leave_out_what_does_not_apply() -> None:
    tags = standard_tags(stage="pretrain", encoder="tiny", rule="pretrain_encoder", data_hash="d")
    assert tags.pop("git_commit")
    assert tags == {"stage": "pretrain", "encoder": "tiny", "snakemake_rule": "pretrain_encoder", "data_hash": "d"}


def test_everything_reaches_mlflow(folder: Path, tmp_path: Path) -> None:
    artifact = tmp_path / "note.txt"
    artifact.write_text("hello")
    with start_run(
        tracking(folder), stage="stage-a", name="one", tags={"stage": "stage-a"}, params={"a": {"b": 1}}
    ) as run:
        for step in range(450):  # more than two batches
            run.log({"loss": step / 2, "label/x+y": math.nan if step % 2 else step, "inf": math.inf}, step)
        run.artifact(artifact)
    store = client(folder)
    stored = store.get_run(run.run_id)
    assert (stored.info.status, stored.info.run_name) == ("FINISHED", "one")
    assert stored.data.params == {"a.b": "1"}
    assert stored.data.tags["stage"] == "stage-a"
    loss = store.get_metric_history(run.run_id, "loss")
    assert [(m.step, m.value) for m in loss] == [(step, step / 2) for step in range(450)]
    assert [m.step for m in store.get_metric_history(run.run_id, "label/x_y")] == list(range(0, 450, 2))
    assert "inf" not in stored.data.metrics
    assert store.get_experiment(stored.info.experiment_id).name == "stage-a"
    copy = folder / "mlartifacts" / "stage-a" / run.run_id / "artifacts" / "note.txt"
    assert copy.read_text() == "hello"


def test_a_run_is_continued_or_begun_anew(folder: Path) -> None:
    first = start_run(tracking(folder), stage="s", name="n", tags={}, params={"steps": 10})
    first.log({"loss": 1.0}, 1)
    first.finish("KILLED")
    again = start_run(
        tracking(folder), stage="s", name="n", tags={}, params={"steps": 20, "new": 1}, run_id=first.run_id
    )
    assert again.run_id == first.run_id
    assert client(folder).get_run(first.run_id).info.status == "RUNNING"
    again.log({"loss": 0.5}, 2)
    again.finish()
    assert [m.step for m in client(folder).get_metric_history(first.run_id, "loss")] == [1, 2]
    assert client(folder).get_run(first.run_id).data.params == {"steps": "10", "new": "1"}
    other = start_run(tracking(folder), stage="s", name="n", tags={}, params={}, run_id="0" * 32)
    other.finish()
    assert other.run_id not in (None, first.run_id, "0" * 32)


def test_a_run_that_raises_is_marked_failed(folder: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        start_run(tracking(folder), stage="s", name="n", tags={}, params={}) as run,
    ):
        raise ZeroDivisionError
    assert client(folder).get_run(run.run_id).info.status == "FAILED"


@pytest.mark.parametrize("why", ["none", "disabled", "rank"])
def test_a_run_that_is_off_does_nothing(tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "rank":
        monkeypatch.setenv("RANK", "1")
    choice = None if why == "none" else tracking(tmp_path, enabled=why != "disabled")
    run = start_run(choice, stage="s", name="n", tags={}, params={})
    run.log({"loss": 1.0}, 1)
    run.artifact(tmp_path / "missing")
    run.finish()
    assert run.run_id is None
    assert list(tmp_path.iterdir()) == []


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _trouble(kind: str, folder: Path) -> TrackingSlice:
    if kind == "server":
        return tracking(folder, f"http://user:secret@127.0.0.1:{_closed_port()}")
    if kind == "not a database":
        (folder / "mlflow.db").write_text("this is not an SQLite file, whatever its name says" * 50)
    if kind == "no folder":
        (folder / "file").write_text("")
        return tracking(folder, f"sqlite:///{folder}/file/mlflow.db")
    return tracking(folder)


@pytest.mark.parametrize("kind", ["server", "not a database", "no folder", "locked"])
def test_trouble_at_the_start_is_one_warning(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecglfm.tracking.store.BUSY_SECONDS", 0.2)
    choice = _trouble(kind, tmp_path)
    holder = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None) if kind == "locked" else None
    if holder:
        holder.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="ecglfm"):
        run = start_run(choice, stage="s", name="n", tags={}, params={})
        for step in range(1000):
            run.log({"loss": 1.0}, step)
        run.finish()
    if holder:
        holder.close()
    assert time.monotonic() - started < 20
    warnings = [record for record in caplog.records if record.name.startswith("ecglfm")]
    assert len(warnings) == 1
    assert "goes on without it" in warnings[0].getMessage()
    assert "secret" not in warnings[0].getMessage()
    assert run.run_id is None


def test_trouble_in_the_middle_is_one_warning(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_run(tracking(folder), stage="s", name="n", tags={}, params={})
    attempts = []

    def full(*args: object, **kwargs: object) -> None:
        attempts.append(args)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlflow.MlflowClient.log_batch", full)
    with caplog.at_level(logging.WARNING, logger="ecglfm"):
        for step in range(1000):
            run.log({"loss": 1.0}, step)
        run.artifact("nowhere")
        run.finish()
    assert len(attempts) == 1
    assert [r.getMessage() for r in caplog.records if "No space left" in r.getMessage()] == [
        r.getMessage() for r in caplog.records if r.name.startswith("ecglfm")
    ]


JOB = """
import sys
from ecglfm.config import TrackingSlice
from ecglfm.tracking import start_run
tracking = TrackingSlice(uri="sqlite:///store/mlflow.db", artifacts="store/mlartifacts", enabled=True)
with start_run(tracking, stage="ingest", name=sys.argv[1], tags={}, params={"job": sys.argv[1]}) as run:
    for step in range(500):
        run.log({"loss": step + 0.5}, step)
assert run.run_id, "no run"
"""


@pytest.mark.slow
def test_four_jobs_start_at_once_on_a_fresh_store(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", JOB, str(i)], cwd=tmp_path, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for i in range(4)
    ]  # fmt: skip
    outputs = [job.communicate(timeout=300)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4, outputs
    assert outputs == [""] * 4  # no telemetry notice, no migration log, no emoji
    store = client(tmp_path / "store")
    (experiment,) = (e for e in store.search_experiments() if e.name == "ingest")
    runs = store.search_runs([experiment.experiment_id])
    assert sorted(run.data.params["job"] for run in runs) == ["0", "1", "2", "3"]
    for run in runs:
        values = [(m.step, m.value) for m in store.get_metric_history(run.info.run_id, "loss")]
        assert values == [(step, step + 0.5) for step in range(500)]
