"""Every line of the doctor, with a planted fault: what it says, and that the exit status tells."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import snakemake.cli  # noqa: F401 (it asks for programs on PATH, which some tests clear)
import torch
import yaml

from ecglfm.app.doctor import machine, places, site, versions
from ecglfm.cli import main
from ecglfm.config import Project, TrackingSlice


def lines(findings) -> list[str]:
    return [str(finding) for finding in findings]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The only programs on PATH: `programs(name, shell script)` adds one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return add


def test_versions_are_those_of_the_environment() -> None:
    found = lines(versions.check_versions())
    assert f"ok   torch {metadata.version('torch')}" in found
    assert [line for line in found if not line.startswith("ok")] == []
    assert [line.split()[1] for line in found] == ["python", "deepspeed", "mlflow", "snakemake", "torch", "wfdb"]


def test_versions_out_of_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        metadata,
        "requires",
        lambda _: ["torch>=99", "h5py<1", "numpy>=1", "ecglfm-nothing", 'onnx>=99; extra == "export"'],
    )
    monkeypatch.setattr(metadata, "metadata", lambda _: {"Requires-Python": ">=3.99"})
    python = ".".join(map(str, sys.version_info[:3]))
    assert lines(versions.check_versions()) == [
        f"fail python {python} is not >=3.99: make a new environment with `make PYTHON=python3.11 setup`",
        f"fail torch {metadata.version('torch')} is not >=99: run `make setup`",
        f"fail h5py {metadata.version('h5py')} is not <1: run `make setup`",
        "fail ecglfm-nothing is not installed: run `make setup`",
    ]


def test_an_environment_without_ecglfm(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", missing)
    (line,) = lines(versions.check_versions())
    assert line.startswith("fail ecglfm is not installed")


@pytest.mark.parametrize(
    ("driver", "built_for", "line"),
    [
        (None, None, "warn CUDA: no GPU here"),
        ("550.54", None, "fail CUDA: driver 550.54 is there, but torch "),
        ("390.1", "12.8", "fail CUDA: torch is built for CUDA 12.8 and cannot use driver 390.1: take a newer driver"),
    ],
)
def test_no_usable_gpu(programs, monkeypatch: pytest.MonkeyPatch, driver, built_for, line: str) -> None:
    programs("nvidia-smi", f"echo {driver}" if driver else "echo No devices were found; exit 9")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    (found,) = lines(machine.check_cuda())
    assert found.startswith(line)


def test_two_gpus_one_of_them_broken(programs, monkeypatch: pytest.MonkeyPatch) -> None:
    def ones(size: int, device: str):
        if device == "cuda:1":
            raise RuntimeError("CUDA error: uncorrectable ECC error encountered\nmore")
        return torch.full((size,), 1.0)

    programs("nvidia-smi", "echo 550.54; echo 550.54")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    card = SimpleNamespace(name="NVIDIA H100", total_memory=80e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch, "ones", ones)
    assert lines(machine.check_cuda()) == [
        "ok   CUDA device 0: NVIDIA H100, 80 GB, driver 550.54, CUDA 12.8",
        "fail CUDA device 1: NVIDIA H100, 80 GB cannot calculate: CUDA error: uncorrectable ECC error encountered;"
        " look at `nvidia-smi`, or leave it out with CUDA_VISIBLE_DEVICES",
    ]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU says")
def test_deepspeed_makes_an_update() -> None:
    assert lines(machine.check_engine()) == [
        "ok   gloo (NCCL needs a GPU)",
        "ok   DeepSpeed made an update on cpu",
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "echo 'Traceback' >&2; echo 'RuntimeError: NCCL error: unhandled system error' >&2; exit 1",
            ["fail NCCL or gloo: RuntimeError: NCCL error: unhandled system error; see it all with"],
        ),
        (
            """echo '{"done": "NCCL 2.21"}'; echo 'ImportError: no CUDA_HOME' >&2; exit 1""",
            ["ok   NCCL 2.21", "fail DeepSpeed: ImportError: no CUDA_HOME; see it all with"],
        ),
        ("sleep 60", ["fail DeepSpeed: no update within 1 s: run `python -m ecglfm.app.doctor.trial`"]),
    ],
)
def test_a_trial_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, expected: list[str]) -> None:
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setattr(machine, "TRIAL_SECONDS", 1)
    found = lines(machine.check_engine())
    assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == expected


def test_a_missing_compiler(programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "clang++")
    ninja = programs("ninja", "")
    assert lines(machine.check_compiler()) == [
        "warn clang++ is not there: `pretrain.compile` and DeepSpeed's own operators need it; install g++ (or set CXX)",
        f"ok   ninja: {ninja}",
    ]


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


@pytest.fixture
def config(tmp_path: Path, repository: Path) -> Path:
    """A config folder of one's own, with results in the same place."""
    folder = tmp_path / "config"
    shutil.copytree(repository / "config", folder)
    content = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(content | {"results": str(tmp_path / "results")}))
    return folder


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


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile with two partitions and two accounts, in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "slurm/config.yaml"
    path.parent.mkdir()
    path.write_text(
        "executor: slurm\n"
        "default-resources:\n  slurm_partition: \"'main'\"\n  slurm_account: lab\n  runtime: 60\n"
        "set-resources:\n  pretrain_encoder:\n    slurm_partition: \"'gpu,main'\"\n    slurm_account: \"'rich'\"\n"
        "  report:\n    mem_mb: 16000\n"
    )
    return path


def test_partitions_and_accounts(profile: Path, programs) -> None:
    programs("sinfo", "echo main; echo long")
    programs("sacctmgr", "echo lab; echo other")
    assert lines(site.check_slurm("slurm")) == [
        "ok   Slurm partition main",
        "fail Slurm partition gpu of slurm/config.yaml does not exist; there are: long, main",
        "ok   Slurm account lab",
        "fail Slurm account rich of slurm/config.yaml is none of yours: lab, other",
    ]
    programs("sacctmgr", "exit 1")
    assert lines(site.check_slurm("slurm"))[2:] == [
        "warn Slurm account lab: sacctmgr does not answer here, so it is not checked",
        "warn Slurm account rich: sacctmgr does not answer here, so it is not checked",
    ]


def test_a_site_has_its_own_copy_of_the_profile(profile: Path, programs) -> None:
    programs("sinfo", "echo short")
    profile.with_name("config.v9+.yaml").write_text("default-resources:\n  slurm_partition: short\n")
    assert lines(site.check_slurm("slurm")) == ["ok   Slurm partition short"]


def test_no_slurm_and_no_profile(profile: Path, programs) -> None:
    (line,) = lines(site.check_slurm("slurm"))
    assert line.startswith("warn Slurm: sinfo does not answer here")
    (line,) = lines(site.check_slurm("mine"))
    assert line.startswith("fail Slurm: there is no profile mine")


def test_the_profile_that_ships_names_a_partition(repository: Path, programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    programs("sinfo", "echo main")
    assert lines(site.check_slurm("workflow/profiles/slurm/config.yaml"))[0] == "ok   Slurm partition main"


def test_command(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    def unforeseen():
        raise ZeroDivisionError("by zero")
        yield

    monkeypatch.setattr(machine, "check_engine", lambda: iter(()))
    os.makedirs(tmp_path / "results")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("finetune: {epochs: 1}\n")
    doctor = ["doctor", "--folder", str(config), "--configfile", str(recipe)]
    status = main(doctor)
    shown = capsys.readouterr().out.splitlines()
    assert {line[:5] for line in shown} <= {"ok   ", "warn ", "fail "}
    assert status == any(line.startswith("fail") for line in shown)
    recipe.write_text("sources: [ptbxl]\nencoders: []\ntasks: []\nroots: {ptbxl: nowhere}\n")
    assert main(doctor) == 1
    assert "fail source ptbxl: there is no folder nowhere" in capsys.readouterr().out
    monkeypatch.setattr(machine, "check_cuda", unforeseen)
    assert main(doctor) == 1
    shown = capsys.readouterr().out
    assert "fail CUDA: ZeroDivisionError: by zero\n" in shown
    assert "fail source ptbxl" in shown  # the others go on
