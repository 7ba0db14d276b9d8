"""MLflow's client, made safe for a training: fast to fail, and one process at a time on SQLite.

MLflow takes seconds to import, so it is imported by the first run that uses it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ecglfm.config import TrackingSlice
from ecglfm.extras import need

KEY_TAG = "ecglfm.run"  # our identifier of a run, by which it is found again
NAME_LENGTH = 250  # of a metric, parameter, tag or run; PostgreSQL refuses a longer one
PER_REQUEST = 100  # parameters or tags; MLflow's limit
METRICS_PER_REQUEST = 500  # MLflow takes at most 1000
LOCK_SECONDS = 120.0  # creating the SQLite schema takes MLflow several seconds, more on a slow disk
BUSY_SECONDS = 5.0  # an SQLite file that somebody else keeps locked this long counts as unreachable

_ODD = re.compile(r"[^\w\-. /:]")
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A server that is gone or hangs costs seconds, not MLflow's default of minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
}


def valid_name(text: str) -> str:
    """Name of a metric, parameter or tag that MLflow accepts: letters, digits, `_ - . / :` and spaces."""
    return _ODD.sub("_", text)[:NAME_LENGTH]


def valid_names(texts: Collection[str]) -> dict[str, str]:
    """`valid_name` of each; where two are one, as of `EF<40` and `EF>40`, with the numbers of characters instead."""
    often = Counter(map(valid_name, texts))
    numbered = {text: valid_name(_ODD.sub(lambda odd: f"_{ord(odd[0]):x}_", text)) for text in texts}
    return {text: name if often[name := valid_name(text)] == 1 else numbered[text] for text in texts}


def without_password(text: str) -> str:
    """A text about a URI, fit for a log."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def import_mlflow() -> None:
    """Import MLflow with settings of ours; what the user has set in the environment stays."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    need("mlflow", extra="train", what="tracking")
    import mlflow  # noqa: F401

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every migration
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # and this one of every retry


class Store:
    """MLflow's client for one URI; every method may raise whatever MLflow comes up with.

    SQLite files are created and written by one of our processes at a time, under a lock file beside them.

    Parameters
    ----------
    tracking : TrackingSlice
    """

    def __init__(self, tracking: TrackingSlice) -> None:
        import_mlflow()
        self.uri, self._project = tracking.uri, tracking.project
        self._artifacts = Path(tracking.artifacts).resolve().as_uri()
        self._database: Path | None = None
        if self.uri.startswith("sqlite:///"):
            # Absolute, because MLflow keeps a store per URI even when the working directory has changed.
            self._database = Path(self.uri.removeprefix("sqlite:///").split("?")[0]).absolute()
            self._database.parent.mkdir(parents=True, exist_ok=True)
            self.uri = f"sqlite:///{self._database}"
        self.check()
        from mlflow import MlflowClient

        with self._locked():
            if self._database is not None:
                make(self._database)
                follow(self._database, self._artifacts)
            try:
                self._client = MlflowClient(tracking_uri=self.uri)
            except Exception as error:  # SQLAlchemy's OperationalError; what MLflow requires is not ours to import
                if self._database is None or "already exists" not in str(error):
                    raise
                raise RuntimeError(f"{self._database} is half made, whoever made it was killed; move it away") from None

    def check(self) -> None:
        """Fail within seconds on an SQLite file that cannot be written; MLflow would wait much longer."""
        if self._database is None:
            return
        connect = partial(sqlite3.connect, timeout=BUSY_SECONDS, isolation_level=None)
        with self._locked(), closing(connect(self._database)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")

    def ping(self) -> None:
        """Raise where the store does not answer."""
        with self._locked():
            self._client.search_experiments(max_results=1)

    def experiment_name(self, stage: str) -> str:
        """Name of a stage's experiment: `pretrain`, or `PROJECT/pretrain` on a server that projects share."""
        return f"{self._project}/{stage}" if self._project else stage

    def runs(self, stage: str, key: str) -> tuple[list[Any], bool]:
        """MLflow's runs with our key, oldest first; and whether the user has deleted one."""
        with self._locked():
            experiment = self._client.get_experiment_by_name(self.experiment_name(stage))
            if experiment is None:
                return [], False
            found = self._client.search_runs(
                [experiment.experiment_id],
                f"tags.`{KEY_TAG}` = '{key}'",
                run_view_type=3,  # ViewType.ALL
                order_by=["attributes.start_time ASC"],
            )
        active = [run for run in found if run.info.lifecycle_stage == "active"]
        return active, len(active) < len(found)

    def deleted_experiment(self, stage: str) -> str | None:
        """MLflow's identifier of a stage's experiment where the user has deleted it: it takes no run then."""
        with self._locked():
            experiment = self._client.get_experiment_by_name(self.experiment_name(stage))
        deleted = experiment is not None and experiment.lifecycle_stage == "deleted"
        return str(experiment.experiment_id) if deleted else None

    def create(self, stage: str, key: str, name: str, began: int) -> str:
        """Make a run, and the experiment where there is none; return MLflow's identifier of the run."""
        with self._locked():
            run = self._client.create_run(
                self._experiment(stage), start_time=began, tags={KEY_TAG: key}, run_name=name[:NAME_LENGTH]
            )
        return str(run.info.run_id)

    def steps(self, run_id: str, name: str) -> set[int]:
        """Steps at which the store has a metric."""
        with self._locked():
            return {metric.step for metric in self._client.get_metric_history(run_id, name)}

    def artifacts(self, run_id: str) -> dict[str, int]:
        """Size of each artifact, bytes."""
        with self._locked():
            return {file.path: int(file.file_size or 0) for file in self._client.list_artifacts(run_id)}

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        """Add parameters."""
        from mlflow.entities import Param

        for batch in _batches(params.items(), PER_REQUEST):
            self.call("log_batch", run_id, params=[Param(*item) for item in batch])

    def log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        for batch in _batches(tags.items(), PER_REQUEST):
            self.call("log_batch", run_id, tags=[RunTag(*item) for item in batch])

    def log_metrics(self, run_id: str, metrics: Iterable[tuple[str, float, int, int]]) -> None:
        """Add metrics: (name, value, milliseconds, step)."""
        from mlflow.entities import Metric

        for batch in _batches(metrics, METRICS_PER_REQUEST):
            self.call("log_batch", run_id, metrics=[Metric(*metric) for metric in batch])

    def call(self, method: str, *args: Any, **kwargs: Any) -> None:
        """Call one method of the client."""
        with self._locked():
            getattr(self._client, method)(*args, **kwargs)

    def experiment(self, stage: str) -> str:
        """MLflow's identifier of a stage's experiment, which is made where there is none."""
        with self._locked():
            return self._experiment(stage)

    def _experiment(self, stage: str) -> str:
        from mlflow.exceptions import MlflowException

        name = self.experiment_name(stage)
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            is_server = self.uri.startswith(("http:", "https:"))
            artifacts = None if is_server else f"{self._artifacts}/{name}"
            try:
                return str(self._client.create_experiment(name, artifacts))
            except MlflowException:  # another job made it a moment ago
                experiment = self._client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        return str(experiment.experiment_id)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock file beside the SQLite database: several jobs create and write it at once."""
        if self._database is None:
            yield
            return
        deadline = time.monotonic() + LOCK_SECONDS
        with self._database.with_name(f".{self._database.name}.lock").open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"{file.name} is held by another process") from None
                    time.sleep(0.02)
            try:
                yield
            finally:  # a loader process that was forked meanwhile has the file open, too: closing it would not do
                fcntl.flock(file, fcntl.LOCK_UN)


def make(database: Path) -> None:
    """Make MLflow's tables, which takes seconds, where an SQLite file has none: under another name until it is whole.

    What a process that is killed leaves half made, MLflow can never use.
    """
    if database.stat().st_size:
        return
    from mlflow import MlflowClient

    new = database.with_name(f".{database.name}.new")
    for left in (new, new.with_name(f"{new.name}-journal")):
        left.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"sqlite:///{new}")
    new.replace(database)


def follow(database: Path, artifacts: str) -> None:
    """Tell an SQLite file where its artifacts lie, which were moved or copied with it: MLflow keeps absolute paths.

    Parameters
    ----------
    database : path
    artifacts : str
        URI of the folder of all experiments' artifacts; where it is not beside the file, nothing is changed.
    """
    if database.resolve().parent.as_uri() != artifacts.rpartition("/")[0]:
        return
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection, connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
            return
        folder = artifacts.rpartition("/")[2]
        for number, place in connection.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall():
            was = place or ""
            _, found, name = was.rpartition(f"/{folder}/")  # `pretrain`, or of a project's `PROJECT/pretrain`
            now = f"{artifacts}/{name}"
            if was == now or not found:
                continue
            connection.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (now, number))
            connection.execute(
                "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
                (now, len(was) + 1, number, len(was), was),
            )


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = list(items)
    for start in range(0, len(rest), size):
        yield rest[start : start + size]
