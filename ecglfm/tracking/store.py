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
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ecglfm.config import TrackingSlice

PARAMS_PER_REQUEST = 100  # MLflow's limit
LOCK_SECONDS = 120.0  # creating the SQLite schema takes MLflow several seconds, more on a slow disk
BUSY_SECONDS = 10.0  # an SQLite file that somebody else keeps locked this long counts as unreachable

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # A server that is gone costs seconds, not MLflow's default of minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}


def valid_key(text: str) -> str:
    """A key that MLflow accepts: letters, digits, `_ - . / :` and spaces."""
    return re.sub(r"[^\w\-. /:]", "_", text)[:250]


class Store:
    """MLflow's client for one URI; every method may raise whatever MLflow comes up with.

    SQLite files are created and written by one of our processes at a time, under a lock file beside them.

    Parameters
    ----------
    tracking : TrackingSlice
    """

    def __init__(self, tracking: TrackingSlice) -> None:
        for key, value in _ENVIRONMENT.items():
            os.environ.setdefault(key, value)
        self.uri = tracking.uri
        self._artifacts = Path(tracking.artifacts).resolve().as_uri()
        self._database: Path | None = None
        if self.uri.startswith("sqlite:///"):
            # Absolute, because MLflow keeps a store per URI even when the working directory has changed.
            self._database = Path(self.uri.removeprefix("sqlite:///").split("?")[0]).absolute()
            self._database.parent.mkdir(parents=True, exist_ok=True)
            self.uri = f"sqlite:///{self._database}"
        self._probe()
        from mlflow import MlflowClient

        logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every migration
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # and this one of every retry
        with self._locked():
            self._client = MlflowClient(tracking_uri=self.uri)

    def begin(self, stage: str, name: str, tags: Mapping[str, str], params: dict[str, str], run_id: str | None) -> str:
        """Find or make experiment and run; return the run's identifier."""
        from mlflow.entities import Param

        with self._locked():
            run = self._known_run(run_id)
            if run is None:
                tags = {valid_key(key): str(value) for key, value in tags.items()}
                run = self._client.create_run(self._experiment(stage), tags=tags, run_name=name)
            else:
                self._client.update_run(run.info.run_id, status="RUNNING")
            # A parameter cannot be changed in MLflow; a continued run keeps those it began with.
            new = [Param(key, value) for key, value in params.items() if key not in run.data.params]
            for start in range(0, len(new), PARAMS_PER_REQUEST):
                self._client.log_batch(run.info.run_id, params=new[start : start + PARAMS_PER_REQUEST])
        return str(run.info.run_id)

    def knows(self, stage: str, name: str, tags: Mapping[str, str]) -> bool:
        """Whether a finished run of this name has the same `config_hash` and `data_hash`."""
        with self._locked():
            experiment = self._client.get_experiment_by_name(stage)
            if experiment is None:
                return False
            same = [f"tags.{key} = '{tags[key]}'" for key in ("config_hash", "data_hash")]
            wanted = " and ".join([*same, "attributes.status = 'FINISHED'"])
            found = self._client.search_runs([experiment.experiment_id], wanted)
        return any(run.info.run_name == name for run in found)

    def log_metrics(self, run_id: str | None, metrics: list[tuple[str, float, int, int]]) -> None:
        """Send one batch of (key, value, milliseconds, step)."""
        from mlflow.entities import Metric

        self.call("log_batch", run_id, metrics=[Metric(*metric) for metric in metrics])

    def call(self, method: str, *args: Any, **kwargs: Any) -> None:
        """Call one method of the client."""
        with self._locked():
            getattr(self._client, method)(*args, **kwargs)

    def _experiment(self, stage: str) -> str:
        experiment = self._client.get_experiment_by_name(stage)
        if experiment is not None:
            return str(experiment.experiment_id)
        is_server = self.uri.startswith(("http:", "https:"))
        return str(self._client.create_experiment(stage, None if is_server else f"{self._artifacts}/{stage}"))

    def _known_run(self, run_id: str | None) -> Any:
        if run_id is None:
            return None
        from mlflow.exceptions import MlflowException

        try:
            run = self._client.get_run(run_id)
        except MlflowException:
            return None
        return run if run.info.lifecycle_stage == "active" else None

    def _probe(self) -> None:
        """Fail within seconds on an SQLite file that cannot be written; MLflow would retry for minutes."""
        if self._database is None:
            return
        connect = partial(sqlite3.connect, timeout=BUSY_SECONDS, isolation_level=None)
        with self._locked(), closing(connect(self._database)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")

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
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"{file.name} is held by another process") from None
                    time.sleep(0.02)
            yield  # closing the file lets go of the lock
