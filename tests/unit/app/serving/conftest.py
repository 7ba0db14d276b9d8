"""One server, started as a user does, for all tests that ask it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.app.prediction.test_predict import make_model


class Place(NamedTuple):
    """A results folder with one model and its MLflow store; the server's address and what it printed."""

    model: Path
    store: str
    url: str
    log: Path


def make_results(root: Path) -> tuple[Path, str]:
    """A results folder with a model of two labels, windows of 2 s at 500 Hz; the model and the MLflow store."""
    model = make_model(root / "results/finetune/tiny/t/full-s0")
    (model / "history.csv").write_text("epoch\n")  # what a model does not consist of
    store = f"sqlite:///{root}/results/mlflow.db"
    (root / "results/config").mkdir()
    (root / "results/config/tracking.yaml").write_text(
        f"uri: {store}\nartifacts: {root}/results/mlartifacts\nenabled: true\n"
    )
    return model, store


def make_serve(repository: Path, model: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """The command of the page, and the environment that it runs in."""
    environment = Path(sys.prefix)
    command = ["make", f"--old-file={environment}/.ecglfm-setup", "serve", f"MODEL={model}", f"SERVE_PORT={port}"]
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "MAKE", "MFLAGS"))}
    return command, settings | {"VIRTUAL_ENV": str(environment), "PYTHONPATH": str(repository)}


@pytest.fixture(scope="session")
def place(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """`make serve` on such a model."""
    root = tmp_path_factory.mktemp("served")
    model, store = make_results(root)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command, settings = make_serve(repository, model, port)
    log, url = root / "server.log", f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=repository, env=settings, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(url, process, log)
        yield Place(model, store, url, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/ping", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(log.read_text()[-3000:])
