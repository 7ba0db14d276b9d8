"""The pipeline against `make mlflow-server` on PostgreSQL, and what is made up after the server was killed or hung."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from ecglfm.config import TrackingSlice
from ecglfm.tracking import start_run
from ecglfm.tracking.sync import sync
from tests.integration.conftest import Clone, make_small
from tests.integration.postgres import postgres

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A working copy that logs to a server on PostgreSQL."""
    clone = make_small(repository, tmp_path_factory.mktemp("server") / "clone")
    with postgres(free_port()) as store:
        running = Server(clone, store)
        clone.edit("config/config.yaml", tracking={"uri": running.uri})
        running.start()
        try:
            yield running
        finally:
            running.kill()


def runs(server: Server) -> dict[str, list]:
    client = MlflowClient(server.uri)
    return {e.name: client.search_runs([e.experiment_id]) for e in client.search_experiments() if e.name != "Default"}


def points(server: Server, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in MlflowClient(server.uri).get_metric_history(run_id, name)]


def test_the_server_is_for_this_machine_alone(server: Server) -> None:
    command = Path(f"/proc/{server.process.pid}/cmdline").read_text()
    assert "postgresql" not in command  # its password is nobody's business
    listening = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True)
    if listening.returncode == 0:
        assert re.findall(rf"(\S+):{server.port}\s", listening.stdout) == ["127.0.0.1"]


def test_a_dag_whose_server_is_killed_is_made_up(server: Server) -> None:
    clone = server.clone
    clone.snakemake("pretrain")
    assert {name: len(found) for name, found in runs(server).items()} == {
        "index": 1, "ingest": 1, "preprocess": 1, "manifest": 1, "pretrain": 1,
    }  # fmt: skip
    server.kill()
    clone.snakemake("finetune_all")  # goes on
    assert "is out of reach" in (clone.results / "logs/finetune/tiny/af/full-s0.log").read_text()
    server.start()
    assert "finetune" not in runs(server)
    shown = clone.snakemake("tracking_sync")
    assert "results: 7 runs; artifacts 3, metrics " in shown  # history.csv, model.json, the ledger of the labels
    assert "runs 2" in shown

    found = runs(server)
    assert {run.info.status for of in found.values() for run in of} == {"FINISHED"}
    for stage, folder, key in (("pretrain", "tiny", "train.loss"), ("finetune", "tiny/af/full-s0", "train/loss")):
        history = pd.read_csv(clone.results / stage / folder / "history.csv")
        train = history[history["split"] == "train"]
        (run,) = found[stage]
        expected = list(zip(train.iloc[:, 0], train["loss"], strict=True))
        assert [step for step, _ in expected] == list(range(1, len(expected) + 1))
        assert points(server, run.info.run_id, key) == expected
        names = {file.path for file in MlflowClient(server.uri).list_artifacts(run.info.run_id)}
        assert names == {"history.csv", "encoder.json" if stage == "pretrain" else "model.json"}
    again = clone.ecglfm("tracking", "sync").stdout
    assert "results: 7 runs; MLflow lacked nothing" in again


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_run_whose_server_is_lost_in_the_middle(
    server: Server, fault: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecglfm.tracking.mirror.TICK_SECONDS", 0.2)
    tracking = TrackingSlice(uri=server.uri, artifacts=str(tmp_path / "mlartifacts"), enabled=True)
    run = start_run(tracking, stage=fault.name, name="lost", tags={}, params={"fault": int(fault)})
    run.log({"loss": 1.0}, 1)
    for _ in range(300):
        if (found := runs(server).get(fault.name)) and found[0].data.metrics:
            break
        time.sleep(0.1)
    (begun,) = found
    server.signal(fault)
    started = time.monotonic()
    for step in range(2, 1001):
        run.log({"loss": 1 / step}, step)
    run.finish()
    assert time.monotonic() - started < 10  # it waits for 5 s
    if fault == signal.SIGSTOP:
        server.signal(signal.SIGCONT)  # and does what was asked of it long ago
    else:
        server.kill()
        server.start()
    while sync(tmp_path, tracking)["going on"]:  # what this process began in the background is still under way
        time.sleep(0.1)
    (whole,) = runs(server)[fault.name]
    assert whole.info.run_id == begun.info.run_id
    assert whole.info.status == "FINISHED"
    assert points(server, whole.info.run_id, "loss") == [(step, 1 / step) for step in range(1, 1001)]
    assert sync(tmp_path, tracking) == {"journals": 1}
