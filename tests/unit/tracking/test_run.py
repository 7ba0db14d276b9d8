"""MLflow gets everything and can never stop or hold up a run."""

from __future__ import annotations

import json
import logging
import math
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecglfm.config import TrackingSlice
from ecglfm.tracking import Run, standard_tags, start_run
from ecglfm.tracking.run import parameters
from tests.unit.tracking.places import client, run_of, tracking


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the module: MLflow needs a second to create an SQLite file."""
    return tmp_path_factory.mktemp("tracking")


def begin(choice: TrackingSlice | None, **more) -> Run:
    return start_run(choice, **({"stage": "s", "name": "n", "tags": {}, "params": {}} | more))


def test_parameters_are_flat_and_short() -> None:
    flat = parameters({"mask": {"length": 10, "x?": None}, "leads": ["I", "II"], "empty": {}, "text": "y" * 600})
    assert flat["mask.length"] == "10"
    assert flat["mask.x_"] == "None"
    assert flat["leads"] == "['I', 'II']"
    assert flat["empty"] == "{}"
    assert len(flat["text"]) == 500


def test_names_that_would_be_one_stay_apart(tmp_path: Path) -> None:
    """In SQLite's store, and where one of the two has no value at a step."""
    with begin(tracking(tmp_path)) as run:
        run.log({"auroc/EF<40": 0.9, "auroc/EF>40": 0.6, "auroc/x+y": 0.5}, 0)
        run.log({"auroc/EF<40": None, "auroc/EF>40": 0.7, "auroc/x+y": 0.5}, 1)
    assert run_of(tmp_path, run.key).data.metrics == {"auroc/EF_3c_40": 0.9, "auroc/EF_3e_40": 0.7, "auroc/x_y": 0.5}
    assert parameters({"a<": 1, "a>": 2, "b<": 3}) == {"a_3c_": "1", "a_3e_": "2", "b_": "3"}


def test_standard_tags_leave_out_what_does_not_apply() -> None:
    tags = standard_tags(stage="pretrain", encoder="tiny", rule="pretrain_encoder", data_hash="d")
    assert tags == {"stage": "pretrain", "encoder": "tiny", "snakemake_rule": "pretrain_encoder", "data_hash": "d"}


def test_everything_reaches_mlflow(folder: Path, tmp_path: Path) -> None:
    artifact = tmp_path / "note.txt"
    artifact.write_text("hello")
    with begin(tracking(folder), stage="stage-a", name="one", tags={"stage": "stage-a"}, params={"a": {"b": 1}}) as run:
        for step in range(1250):  # more than two batches
            run.log({"loss": step / 2, "label/x+y": math.nan if step % 2 else step, "inf": math.inf}, step)
        run.tag("note", "late")
        run.artifact(artifact)
        key = run.key
    store, stored = client(folder), run_of(folder, key)
    assert (stored.info.status, stored.info.run_name) == ("FINISHED", "one")
    assert stored.data.params == {"a.b": "1"}
    assert (stored.data.tags["stage"], stored.data.tags["note"]) == ("stage-a", "late")
    loss = store.get_metric_history(stored.info.run_id, "loss")
    assert [(m.step, m.value) for m in loss] == [(step, step / 2) for step in range(1250)]
    assert [m.step for m in store.get_metric_history(stored.info.run_id, "label/x_y")] == list(range(0, 1250, 2))
    assert "inf" not in stored.data.metrics
    assert store.get_experiment(stored.info.experiment_id).name == "stage-a"
    copy = folder / "mlartifacts" / "stage-a" / stored.info.run_id / "artifacts" / "note.txt"
    assert copy.read_text() == "hello"


def test_a_resumed_run_has_no_step_twice(folder: Path) -> None:
    first = begin(tracking(folder), params={"steps": 10})
    for step in (1, 2, 3, 4):
        first.log({"loss": float(step)}, step)
    key = first.key
    first.finish("KILLED")
    assert run_of(folder, key).info.status == "KILLED"
    again = begin(tracking(folder), params={"steps": 20, "new": 1}, key=key, step=2)  # its checkpoint is of step 2
    assert again.key == key
    for step in (3, 4, 5):
        again.log({"loss": step + 0.25}, step)
    again.finish()
    stored = run_of(folder, key)
    history = client(folder).get_metric_history(stored.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.25)]
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"steps": "10", "new": "1"}


@pytest.mark.parametrize("key", ["../../etc/passwd", "0" * 31, 7])
def test_a_key_that_is_none_begins_a_new_run(tmp_path: Path, key: object) -> None:
    run = begin(tracking(tmp_path, "http://127.0.0.1:1"), key=key)
    run.finish()
    (journal,) = tmp_path.rglob("*.jsonl")
    assert journal.parent == tmp_path / "tracking/s"
    assert len(journal.stem) == 32


def test_a_run_that_raises_is_marked_failed(folder: Path) -> None:
    run = begin(tracking(folder))
    key = run.key
    with pytest.raises(ZeroDivisionError), run:
        raise ZeroDivisionError
    assert run_of(folder, key).info.status == "FAILED"


@pytest.mark.parametrize("why", ["none", "disabled"])
def test_a_run_that_is_off_does_nothing(tmp_path: Path, why: str) -> None:
    choice = None if why == "none" else tracking(tmp_path, enabled=why != "disabled")
    run = begin(choice)
    run.log({"loss": 1.0}, 1)
    run.artifact(tmp_path / "missing")
    run.finish()
    assert run.key is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes every connection and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield f"http://user:secret@127.0.0.1:{listener.getsockname()[1]}"


def _trouble(kind: str, folder: Path, silent: str) -> TrackingSlice:
    if kind == "no server":
        return tracking(folder, "http://user:secret@127.0.0.1:1")
    if kind == "silent server":
        return tracking(folder, silent)
    if kind == "not a database":
        (folder / "mlflow.db").write_text("this is not an SQLite file, whatever its name says" * 50)
    if kind == "no folder":
        (folder / "file").write_text("")
        return tracking(folder, f"sqlite:///{folder}/file/mlflow.db")
    return tracking(folder)


@pytest.mark.parametrize("kind", ["no server", "silent server", "not a database", "no folder", "locked"])
def test_trouble_is_one_warning_and_the_journal_has_it_all(
    tmp_path: Path, kind: str, silent_server: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecglfm.tracking.store.BUSY_SECONDS", 0.2)
    monkeypatch.setattr("ecglfm.tracking.mirror.LAST_SECONDS", 0.5)
    choice = _trouble(kind, tmp_path, silent_server)
    holder = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None) if kind == "locked" else None
    if holder:
        holder.execute("BEGIN EXCLUSIVE")
    with caplog.at_level(logging.WARNING, logger="ecglfm"):
        run = begin(choice)
        started = time.monotonic()
        for step in range(1000):
            run.log({"loss": 1.0}, step)
        run.finish()
    if holder:
        holder.close()
    assert time.monotonic() - started < 5  # the silent server's own limit
    (warning,) = [record.getMessage() for record in caplog.records if record.name.startswith("ecglfm")]
    assert "goes on without it" in warning
    assert "tracking sync" in warning
    assert "secret" not in warning
    (journal,) = tmp_path.rglob("*.jsonl")
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [event["step"] for event in events if "metrics" in event] == list(range(1000))
    assert events[-1]["status"] == "FINISHED"


def test_a_store_that_comes_back_gets_what_it_missed(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setattr("ecglfm.tracking.mirror.TICK_SECONDS", 0.05)
    monkeypatch.setattr("ecglfm.tracking.mirror.RETRY_SECONDS", 0.05)
    log_batch, batches = MlflowClient.log_batch, []

    def sometimes_full(self, run_id: str, **content: list) -> None:
        if "metrics" in content:
            batches.append(len(content["metrics"]))
            if len(batches) == 2:
                log_batch(self, run_id, metrics=content["metrics"][:3])  # a part arrives
            if len(batches) in (2, 3):
                raise OSError(28, "No space left on device")
        log_batch(self, run_id, **content)

    monkeypatch.setattr(MlflowClient, "log_batch", sometimes_full)
    run = begin(tracking(folder))
    for step in range(1, 61):
        run.log({"loss": step / 4}, step)
        while step % 20 == 0 and len(batches) < step // 20:
            time.sleep(0.02)  # until the thread has looked
    key = run.key
    run.finish()
    history = client(folder).get_metric_history(run_of(folder, key).info.run_id, "loss")
    assert sorted((m.step, m.value) for m in history) == [(step, step / 4) for step in range(1, 61)]
    assert [r.levelname for r in caplog.records if "No space left" in r.getMessage()] == ["WARNING"]


JOBS = """
import os
from ecglfm.config import TrackingSlice
from ecglfm.tracking import start_run
from ecglfm.tracking.store import import_mlflow

import_mlflow()  # seconds; so that all begin at once

def job(i):
    tracking = TrackingSlice(uri="sqlite:///store/mlflow.db", artifacts="store/mlartifacts", enabled=True)
    for number in (1, 2):
        name = f"{i}.{number}"
        with start_run(tracking, stage="ingest", name=name, tags={}, params={"job": name}) as run:
            for step in range(300):
                run.log({"loss": step + number / 4}, step)

for i in range(6):
    if os.fork() == 0:
        job(i)
        os._exit(0)
for i in range(6):
    assert os.wait()[1] == 0
"""


@pytest.mark.slow
def test_six_jobs_that_start_at_once_on_a_fresh_file_lose_nothing(tmp_path: Path, repository: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(repository)}
    jobs = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", JOBS], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=300,
    )  # fmt: skip
    assert (jobs.returncode, jobs.stdout) == (0, "")  # no trouble, no migration log, no emoji
    store = client(tmp_path / "store")
    (experiment,) = (e for e in store.search_experiments() if e.name == "ingest")
    runs = store.search_runs([experiment.experiment_id])
    assert sorted(run.data.params["job"] for run in runs) == [f"{i}.{n}" for i in range(6) for n in (1, 2)]
    for run in runs:
        values = [(m.step, m.value) for m in store.get_metric_history(run.info.run_id, "loss")]
        number = int(run.data.params["job"][-1])
        assert values == [(step, step + number / 4) for step in range(300)]
        assert run.info.status == "FINISHED"
