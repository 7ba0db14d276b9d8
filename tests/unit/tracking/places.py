"""Where the tests of tracking log to, and what they find there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ecglfm.config import TrackingSlice


def tracking(folder: Path, uri: str | None = None, enabled: bool = True, project: str | None = None) -> TrackingSlice:
    """A results folder that logs to an SQLite file in it, or to `uri`."""
    uri = uri or f"sqlite:///{folder}/mlflow.db"
    return TrackingSlice(uri=uri, artifacts=str(folder / "mlartifacts"), enabled=enabled, project=project)


def client(folder: Path):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")


def run_of(folder: Path, key: str | None):
    """MLflow's run with our key; there is exactly one."""
    store = client(folder)
    experiments = [experiment.experiment_id for experiment in store.search_experiments()]
    (run,) = store.search_runs(experiments, f"tags.`ecglfm.run` = '{key}'")
    return run


def rows(database: Path) -> list[tuple]:
    """Every row that tells of runs, so that two states of a store can be compared."""
    tables = ("runs", "params", "tags", "metrics", "latest_metrics")
    with closing(sqlite3.connect(database)) as connection:
        return [
            (table, *row) for table in tables for row in sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
        ]
