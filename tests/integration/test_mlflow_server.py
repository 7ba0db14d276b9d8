"""The pipeline against `make mlflow-server` on PostgreSQL, and what is made up after the server was killed or hung."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from ecglfm.config import TrackingSlice, UserError
from ecglfm.tracking import start_run
from ecglfm.tracking.sync import sync
from tests.integration.conftest import make_small
from tests.integration.mlflow_server import Server, free_port, points, runs
from tests.integration.postgres import postgres

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A working copy that logs to a server on PostgreSQL."""
    clone = make_small(repository, tmp_path_factory.mktemp("server") / "clone", tracking=True)
    with postgres(free_port()) as store:
        running = Server(clone, store)
        clone.edit("config/config.yaml", tracking={"uri": running.uri})
        running.start()
        try:
            yield running
        finally:
            running.kill()


def test_the_server_is_for_this_machine_alone(server: Server) -> None:
    command = Path(f"/proc/{server.process.pid}/cmdline").read_text()
    assert "postgresql" not in command  # its password is nobody's business
    ends = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    listening = [
        address for _, address, _, state, *_ in ends if state == "0A" and address.endswith(f":{server.port:04X}")
    ]
    assert listening == [f"0100007F:{server.port:04X}"]  # 127.0.0.1, its bytes turned


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
    assert (
        "results: 7 runs; artifacts 5, metrics " in shown
    )  # history.csv, model.json, the ledger of the labels, two of the config
    assert "runs 2" in shown

    found = runs(server)
    assert {run.info.status for of in found.values() for run in of} == {"FINISHED"}
    for stage, folder, key in (("pretrain", "tiny", "train/loss"), ("finetune", "tiny/af/full-s0", "train/loss")):
        history = pd.read_csv(clone.results / stage / folder / "history.csv")
        train = history[history["split"] == "train"]
        (run,) = found[stage]
        expected = list(zip(train.iloc[:, 0], train["loss"], strict=True))
        assert [step for step, _ in expected] == list(range(1, len(expected) + 1))
        assert points(server, run.info.run_id, key) == expected
        names = {file.path for file in MlflowClient(server.uri).list_artifacts(run.info.run_id)}
        assert names == {"config.yaml", "history.csv", "encoder.json" if stage == "pretrain" else "model.json"}
    again = clone.ecglfm("tracking", "sync").stdout
    assert "results: 7 runs; MLflow lacked nothing" in again


def _synced(folder: Path, tracking: TrackingSlice) -> bool:
    """Whether nothing is under way any more of what this process began in the background."""
    try:
        return not sync(folder, tracking)["going on"]
    except UserError:  # a server that goes on may drop connections that it had long ago
        return False


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
    assert time.monotonic() - started < 60  # it waits for 5 s of its own; the client alone would try again for minutes
    if fault == signal.SIGSTOP:
        server.signal(signal.SIGCONT)  # and does what was asked of it long ago
    else:
        server.kill()
        server.start()
    while not _synced(tmp_path, tracking):
        time.sleep(0.1)
    (whole,) = runs(server)[fault.name]
    assert whole.info.run_id == begun.info.run_id
    assert whole.info.status == "FINISHED"
    assert points(server, whole.info.run_id, "loss") == [(step, 1 / step) for step in range(1, 1001)]
    assert sync(tmp_path, tracking) == {"journals": 1}
