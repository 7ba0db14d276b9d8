"""What is sent to MLflow: names that it takes, in requests of a size that it takes, and no password in a log."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from ecglfm.config import TrackingSlice
from ecglfm.tracking.store import METRICS_PER_REQUEST, PER_REQUEST, Store, follow, make, valid_name, without_password
from tests.unit.tracking.forked import forked


def test_names() -> None:
    assert valid_name("valid/loss.mean-1 s:x_2") == "valid/loss.mean-1 s:x_2"
    assert valid_name("AUROC (macro) 95%") == "AUROC _macro_ 95_"
    assert valid_name("x" * 300) == "x" * 250


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:secret@host/x is gone", "https://host/x is gone"),
        ("postgresql://u:p@h/db and postgresql://u:q@h/db", "postgresql://h/db and postgresql://h/db"),
        ("sqlite:////tmp/a@b.db", "sqlite:////tmp/a@b.db"),  # a name of a file, not of a user
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_passwords_are_left_out(text: str, shown: str) -> None:
    assert without_password(text) == shown


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """A store whose client keeps the batches that it is sent."""
    found = Store.__new__(Store)
    found.uri, found._project, found._database, found.sent = "http://127.0.0.1:1", None, None, []  # type: ignore[attr-defined]
    found._client = SimpleNamespace(log_batch=lambda run, **batch: found.sent.append((run, batch)))  # type: ignore[attr-defined]
    return found


def sizes(store: Any, kind: str) -> list[int]:
    return [len(batch[kind]) for run, batch in store.sent if run == "r" and kind in batch]


def test_requests_are_as_large_as_mlflow_takes(store: Store) -> None:
    many = {f"p{number}": str(number) for number in range(2 * PER_REQUEST + 1)}
    store.log_params("r", many)
    store.log_tags("r", dict(list(many.items())[:PER_REQUEST]))
    store.log_metrics("r", (("loss", 0.5, 7, step) for step in range(METRICS_PER_REQUEST + 3)))
    assert sizes(store, "params") == [PER_REQUEST, PER_REQUEST, 1]
    assert sizes(store, "tags") == [PER_REQUEST]
    assert sizes(store, "metrics") == [METRICS_PER_REQUEST, 3]
    last = store.sent[-1][1]["metrics"][-1]  # type: ignore[attr-defined]
    assert (last.key, last.value, last.timestamp, last.step) == ("loss", 0.5, 7, METRICS_PER_REQUEST + 2)


def test_projects_that_share_a_server_have_experiments_of_their_own(store: Store) -> None:
    assert store.experiment_name("pretrain") == "pretrain"
    store._project = "ptbxl"
    assert store.experiment_name("pretrain") == "ptbxl/pretrain"
    asked: list[str] = []
    store._client.get_experiment_by_name = asked.append  # there is none
    assert store.runs("pretrain", "k") == ([], False)
    assert store.deleted_experiment("finetune") is None
    made: list[tuple[str, str | None]] = []
    store._client.create_experiment = lambda name, artifacts: made.append((name, artifacts))
    store.experiment("evaluate")
    assert asked == ["ptbxl/pretrain", "ptbxl/finetune", "ptbxl/evaluate"]
    assert made == [("ptbxl/evaluate", None)]


def test_runs_say_whether_the_user_deleted_one(store: Store) -> None:
    def run(stage: str) -> SimpleNamespace:
        return SimpleNamespace(info=SimpleNamespace(lifecycle_stage=stage))

    experiments = {"there": SimpleNamespace(experiment_id=3, lifecycle_stage="active"),
                   "gone": SimpleNamespace(experiment_id=4, lifecycle_stage="deleted")}  # fmt: skip
    answers = {3: [run("active"), run("deleted")], 4: [run("active")]}
    store._client.get_experiment_by_name = experiments.get
    store._client.search_runs = lambda ids, *_, **__: answers[ids[0]]
    active, deleted = store.runs("there", "k")
    assert (active, deleted) == ([answers[3][0]], True)
    assert store.runs("gone", "k") == (answers[4], False)
    assert store.runs("never", "k") == ([], False)
    assert [store.deleted_experiment(stage) for stage in ("there", "gone", "never")] == [None, "4", None]


def test_a_loader_process_that_is_forked_meanwhile_does_not_keep_the_lock(store: Store, tmp_path: Path) -> None:
    """It has the file of the lock open for as long as a training lasts, and all other jobs would go without MLflow."""
    store._database = tmp_path / "mlflow.db"
    with ExitStack() as training:
        with store._locked():
            training.enter_context(forked())
        with (tmp_path / ".mlflow.db.lock").open("a") as another:
            fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Killed(Exception):
    """In the middle of MLflow's tables."""


def test_a_database_that_is_half_made_when_its_process_is_killed_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = []

    def client(tracking_uri: str) -> None:
        with closing(sqlite3.connect(tracking_uri.removeprefix("sqlite:///"))) as file:
            file.execute("CREATE TABLE webhooks (id)")  # of which there must be none yet
            if not tables:
                raise Killed
            file.execute("CREATE TABLE runs (id)")

    monkeypatch.setattr("mlflow.MlflowClient", client)
    database = tmp_path / "mlflow.db"
    database.touch()  # as connecting leaves it
    with pytest.raises(Killed):
        make(database)
    assert database.read_bytes() == b""
    (tmp_path / ".mlflow.db.new-journal").write_bytes(b"of the one that was killed")
    tables.append("runs")
    make(database)
    with closing(sqlite3.connect(database)) as file:
        assert file.execute("SELECT name FROM sqlite_master").fetchall() == [("webhooks",), ("runs",)]
    make(database)  # there is one: nothing is done
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_database_that_somebody_else_left_half_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as file:
        file.execute("CREATE TABLE webhooks (id)")

    def client(tracking_uri: str) -> None:
        raise OperationalError("CREATE TABLE webhooks", {}, Exception("table webhooks already exists"))

    monkeypatch.setattr("mlflow.MlflowClient", client)
    with pytest.raises(RuntimeError, match=r"mlflow\.db is half made, whoever made it was killed; move it away$"):
        Store(TrackingSlice(uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=f"{tmp_path}/artifacts", enabled=True))


def test_artifacts_that_were_moved_with_the_file_are_found_there(tmp_path: Path) -> None:
    """MLflow's tables as it makes them, of the columns that say where artifacts lie."""
    now = tmp_path.resolve().as_uri() + "/mlartifacts"
    rows = [
        ("1", "evaluate", "file:///old/r/mlartifacts/evaluate"),
        ("2", "tune", f"{now}/tune"),
        ("3", "own", "s3://b/own"),
        ("4", "heart/evaluate", "file:///old/r/mlartifacts/heart/evaluate"),
    ]
    with sqlite3.connect(tmp_path / "mlflow.db") as file:
        file.execute("CREATE TABLE experiments (experiment_id, name, artifact_location)")
        file.execute("CREATE TABLE runs (experiment_id, artifact_uri)")
        file.executemany("INSERT INTO experiments VALUES (?, ?, ?)", rows)
        file.executemany(
            "INSERT INTO runs VALUES (?, ?)", [(number, f"{where}/7/artifacts") for number, _, where in rows]
        )
    follow(tmp_path / "mlflow.db", "file:///elsewhere/mlartifacts")  # a file that others share: nothing is changed
    with sqlite3.connect(tmp_path / "mlflow.db") as file:
        assert file.execute("SELECT * FROM experiments").fetchall() == rows
    follow(tmp_path / "mlflow.db", now)
    with sqlite3.connect(tmp_path / "mlflow.db") as file:
        places = [place for (place,) in file.execute("SELECT artifact_location FROM experiments")]
        runs = [place for (place,) in file.execute("SELECT artifact_uri FROM runs")]
    assert places == [f"{now}/evaluate", f"{now}/tune", "s3://b/own", f"{now}/heart/evaluate"]
    assert runs == [f"{place}/7/artifacts" for place in places]
