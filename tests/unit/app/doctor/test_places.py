"""Disk, databases and MLflow, with planted faults."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecglfm.app.doctor import places
from ecglfm.config import Project, TrackingSlice
from tests.unit.app.doctor.findings import lines


@pytest.mark.parametrize(
    ("free", "speed", "expected"),
    [
        (500e9, 800.0, ["ok   disk: 500 GB free at {r}", "ok   disk: {r} is written at 800 MB/s"]),
        (5e9, 800.0, ["warn disk: 5.0 GB free at {r}: enough for the demo; PTB-XL takes 20 GB",
                      "ok   disk: {r} is written at 800 MB/s"]),
        (0.5e9, 800.0, ["fail disk: 0.5 GB free at {r}: make room, or set `results` to another disk"]),
        (500e9, 3.0, ["ok   disk: 500 GB free at {r}",
                      "warn disk: {r} is written at 3 MB/s only: set `results` to a faster disk"]),
    ],
)  # fmt: skip
def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, speed: float, expected: list[str]) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free) if path == tmp_path else None)
    monkeypatch.setattr(places, "write_speed", lambda path: speed if path == tmp_path else None)
    results = tmp_path / "not/made/yet"
    assert lines(places.check_disk(results)) == [line.format(r=results) for line in expected]


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e12))
    (line,) = lines(places.check_disk(Path("/proc/results")))  # where not even root writes
    assert line.startswith("fail disk: /proc/results cannot be written (")


def test_speed_is_bytes_by_time_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.0])
    monkeypatch.setattr(places.time, "perf_counter", lambda: next(clock))
    assert places.write_speed(tmp_path) == pytest.approx(32.0)  # 64 MB in 2 s
    assert list(tmp_path.iterdir()) == []


def test_roots_of_databases(config: Path, tmp_path: Path) -> None:
    (config / "sources/mine.yaml").write_text(f"kind: wfdb_folder\nroot: {tmp_path}/mine\n")
    (config / "sources/theirs.yaml").write_text(f"kind: wfdb_folder\nroot: {tmp_path}\ntable: list.csv\n")
    choice = {"encoders": [], "tasks": [], "sources": ["demo-ptbxl", "ptbxl", "mine", "theirs"]}
    project = Project({**choice, "roots": {"ptbxl": str(tmp_path / "ptb-xl")}}, config)
    assert lines(places.check_sources(project)) == [
        "ok   source demo-ptbxl: synthetic, the workflow writes it",
        f"fail source ptbxl: there is no folder {tmp_path}/ptb-xl: `snakemake download` fetches it; or give its place"
        " with `root` or `roots` of the config",
        f"fail source mine: there is no folder {tmp_path}/mine: give its place with `root` or `roots` of the config",
        f"fail source theirs: {tmp_path} has no readable list.csv: is it the folder that holds that file?",
    ]
    (tmp_path / "mine").mkdir()
    (tmp_path / "list.csv").touch()
    assert lines(places.check_sources(project))[2:] == [
        f"ok   source mine: {tmp_path}/mine",
        f"ok   source theirs: {tmp_path}",
    ]


def store(uri: str, enabled: bool = True) -> TrackingSlice:
    return TrackingSlice(uri=uri, artifacts="mlartifacts", enabled=enabled)


def test_mlflow(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert lines(places.check_mlflow(store(uri, enabled=False))) == ["ok   MLflow: off (`tracking.enabled`)"]
    assert lines(places.check_mlflow(store(uri))) == [f"ok   MLflow: {uri}, which the first run makes"]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mlflow.db").touch()
    assert lines(places.check_mlflow(store(uri))) == [f"ok   MLflow: {uri}"]


def test_mlflow_out_of_reach(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{closed.getsockname()[1]}"
        (line,) = lines(places.check_mlflow(store(f"http://user:secret@{server}")))
    assert line.startswith(f"fail MLflow: http://{server} does not answer: ")
    assert "secret" not in line
    (tmp_path / "mlflow.db").write_text("no SQLite file" * 100)
    (line,) = lines(places.check_mlflow(store(f"sqlite:///{tmp_path}/mlflow.db")))
    assert line.startswith(f"fail MLflow: sqlite:///{tmp_path}/mlflow.db does not answer: DatabaseError: file is not a")
