"""`make mlflow-server` in a working copy, and what the server has got."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.integration.conftest import Clone


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`make mlflow-server` in a working copy, with everything that it starts."""

    def __init__(self, clone: Clone, store: str) -> None:
        self.clone, self.store, self.port = clone, store, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        environment = Path(sys.prefix)
        command = ["make", f"--old-file={environment}/.ecglfm-setup", "mlflow-server", f"PORT={self.port}", "WORKERS=1"]
        settings = self.clone.environment() | {"VIRTUAL_ENV": str(environment), "STORE": self.store}
        log = (self.clone.root / "server.log").open("a")
        self.process = subprocess.Popen(
            command, cwd=self.clone.root, env=settings, stdout=log, stderr=log, start_new_session=True
        )
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                    assert answer.read() == b"OK"
                return
            except OSError:
                time.sleep(0.5)
        pytest.fail((self.clone.root / "server.log").read_text()[-3000:])

    def signal(self, number: int) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait(30)
            self.process = None


def runs(server: Server) -> dict[str, list]:
    client = MlflowClient(server.uri)
    return {e.name: client.search_runs([e.experiment_id]) for e in client.search_experiments() if e.name != "Default"}


def points(server: Server, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in MlflowClient(server.uri).get_metric_history(run_id, name)]
