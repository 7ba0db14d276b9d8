"""Working copies of this checkout in which the real workflow runs.

A copy holds exactly the tracked and new files, as a fresh clone would. `python -m ecglfm` there runs the
copy's own code.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ecglfm.provenance import read_json
from tests.integration import gap, warm


@dataclass(frozen=True)
class Clone:
    """A working copy and what a user does in it; `warm` jobs are forked from a process that has imported all."""

    root: Path
    warm: bool = True

    @property
    def results(self) -> Path:
        return self.root / "results"

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a user with the environment active would; output and errors in `stdout`."""
        env = self.environment() | environment
        done = subprocess.run(
            command, cwd=self.root, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1500
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout[-6000:]}")
        return done

    def environment(self) -> dict[str, str]:
        env = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("SNAKEMAKE", "SLURM", "MLFLOW", "ECGLFM", "MAKE", "MFLAGS"))
        }
        folders = [*([warm.shims()] if self.warm else []), Path(sys.executable).parent, env["PATH"]]
        return env | {"PATH": ":".join(map(str, folders))}

    def snakemake(self, *arguments: str, check: bool = True) -> str:
        return self.run("snakemake", *arguments, check=check).stdout

    def ecglfm(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("python", "-m", "ecglfm", *map(str, arguments), check=check)

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs that a dry run would start: rule and count, without collecting rules and config slices."""
        return planned_in(self.snakemake("-n", *arguments))

    def edit(self, name: str, **change: object) -> None:
        """Merge keys into one YAML file of the copy."""
        path = self.root / name
        content = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump(_merged(content, change)))

    def metrics(self, encoder: str, task: str, fit: str) -> dict:
        return read_json(self.results / "evaluate" / encoder / task / fit / "metrics.json")


def planned_in(shown: str) -> dict[str, int]:
    """Jobs of a dry run by what it has shown, see `Clone.planned`."""
    if "Nothing to be done" in shown:
        return {}
    table = shown.split("Job stats:")[-1].split("\n\n")[0]
    counts = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
    assert "total" in counts, shown
    return {rule: n for rule, n in counts.items() if rule not in {"all", "total", "config_slice"}}


def _merged(old: dict, new: dict) -> dict:
    out = dict(old)
    for key, value in new.items():
        out[key] = _merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


def make_clone(repository: Path, target: Path) -> Clone:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        source, copy = repository / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            copy.symlink_to(os.readlink(source))
        elif source.is_file():
            shutil.copy2(source, copy)
            if name.startswith("ecglfm/") and name.endswith(".py"):
                _bring_compiled(source, copy)
    return Clone(target)


def _bring_compiled(source: Path, copy: Path) -> None:
    """A module that was imported here is not compiled again there: Python asks for the time and size of its source alone."""
    there, here = (Path(importlib.util.cache_from_source(str(path))) for path in (copy, source))
    if here.exists():
        there.parent.mkdir(exist_ok=True)
        shutil.copyfile(here, there)


def make_small(repository: Path, target: Path, *, tracking: bool = False) -> Clone:
    """A fresh copy with a database and a training small enough for seconds; MLflow takes some more of each job."""
    copy = make_clone(repository, target)
    copy.edit("config/config.yaml", tracking={"enabled": tracking})
    copy.edit(
        "config/config.yaml",
        sources=["demo-ptbxl"],
        tasks=["af"],
        finetune={"epochs": 1},
        evaluate={"bootstrap": 20},
        card={"records": 0},
    )
    copy.edit("config/sources/demo-ptbxl.yaml", patients=60, shards=1, difficulty=0.0)
    copy.edit("config/tasks/af.yaml", sources=["demo-ptbxl"])
    copy.edit("config/encoders/tiny.yaml", model={"layers": 1, "dim": 16, "ffn_dim": 16, "conv_channels": 16})
    copy.edit("config/encoders/tiny.yaml", pretrain={"steps": 12, "batch_size": 4, "checkpoint_every": {"steps": 4}})
    copy.edit("config/encoders/tiny.yaml", pretrain={"validate_every": 6, "log_every": 1, "schedule": {"warmup": 0}})
    plain = {"head_start": "random", "schedule": {"kind": "constant", "warmup": 0}}
    copy.edit("config/encoders/tiny.yaml", finetune=plain)  # an encoder trained for 12 updates is not worth more
    return copy


def copy_clone(clone: Clone, target: Path) -> Clone:
    """The same with all its results, as Snakemake left them."""
    shutil.copytree(clone.root, target, symlinks=True)
    return Clone(target)


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Clone:
    """A fresh copy of its own."""
    return make_small(repository, tmp_path / "clone")


@contextlib.contextmanager
def one_at_a_time(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """Only one of the test processes is here at a time; yields a path of this name that all of them share."""
    ours = tmp_path_factory.getbasetemp()
    root = ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield root / name


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Clone:
    """A working copy that the first test process to need it makes for all of them; not to be changed."""
    with one_at_a_time(tmp_path_factory, name) as folder:
        whole = folder.with_name(f"{name}.whole")
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            whole.touch()
    return Clone(folder)


@pytest.fixture(scope="session")
def with_manifest(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A small copy whose data were made by one process, in one shard; for `copy_clone`."""

    def make(folder: Path) -> None:
        make_small(repository, folder).snakemake("manifest", "--cores", "1")

    return made_once(tmp_path_factory, "with-manifest", make)


def free_ports() -> int:
    """First of the ports that a sandbox takes (it and the two after it, and a dozen on), none of them in use."""
    for first in range(17001, 30000, 100):  # jobs are numbered from here on, and ranks make their ports of that
        with contextlib.suppress(OSError), contextlib.ExitStack() as taken:
            for port in range(first, first + 13):
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    pytest.fail("no free ports on this machine")


@pytest.fixture(scope="session")
def slurm(slurm_sandbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment in which sbatch and squeue speak to a cluster of two nodes, of this test process alone."""
    state = tempfile.mkdtemp(prefix="slurm-")  # short: its sockets' paths are limited
    with one_at_a_time(tmp_path_factory, "slurm"):  # it installs packages, and takes ports that were free
        environment = os.environ | {"SLURM_SANDBOX_DIR": state, "SLURM_SANDBOX_PORT": str(free_ports())}
        started = subprocess.run([slurm_sandbox, "up"], env=environment, text=True, capture_output=True, timeout=300)
    if started.returncode != 0:
        if os.environ.get("ECGLFM_REQUIRE_ALL"):
            pytest.fail(started.stderr)
        pytest.skip(f"no Slurm here: {started.stderr.strip().splitlines()[-1]}")
    try:
        said = dict(re.findall(r"^export (\w+)=['\"]?(.*?)['\"]?;?$", started.stdout, re.M))
        path = said.pop("PATH", "").replace("$PATH", "")
        yield said | {"PATH": f"{path}:{Path(sys.executable).parent}:{os.environ['PATH']}".strip(":")}
    finally:
        subprocess.run([slurm_sandbox, "down"], env=environment, capture_output=True, timeout=120, check=False)
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def demo(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The demo as `make demo` runs it, once for all tests that look at its results; in the air gap where one can be.

    Its jobs are forked, as those of other tests, but from a process that imported all in the gap.
    """

    def make(folder: Path) -> None:
        copy = Clone(make_clone(repository, folder / "clone").root, warm=False)
        gap_in, watch = gap.way_in(), gap.watched(folder)
        environment = Path(tempfile.mkdtemp(prefix="demo-"))  # what make takes for the virtual environment of a user
        (environment / "bin").mkdir()
        (environment / ".ecglfm-setup").touch()
        process = warm.start(environment / "bin", os.getpid(), *gap_in, **watch)
        try:
            made = copy.run(*gap_in, "make", "demo", VIRTUAL_ENV=str(environment), **watch)
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(environment)
        (folder / "console.txt").write_text(made.stdout)

    return Clone(made_once(tmp_path_factory, "demo", make).root / "clone")
