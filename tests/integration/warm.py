"""Jobs of a test's workflow are forked from a process that has imported PyTorch, DeepSpeed, MLflow and Snakemake already.

A job of a small workflow computes for a second, and imports for five. `shims()` is a folder for the front of PATH: its
`python -m ecglfm …`, `ecglfm …` and `snakemake …` run in a fork of the process that waits here, with the caller's arguments, folder,
environment and files; anything else is the real Python. `script()` there does the same with `-c CODE …` or a file, for
ranks and commands that a test itself makes. The package itself is imported anew by each, from the folder that it runs
in. Signals reach the fork, and whoever kills the caller ends it. Trainings on Slurm, whatever is killed from outside and
one whole DAG do without: they are started as a user's are.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import functools
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from pathlib import Path

#: What jobs import that is not ours; DeepSpeed comes after its settings.
MODULES = (
    "pandas", "pyarrow.parquet", "pydantic", "yaml", "scipy.signal", "scipy.stats", "scipy.optimize", "sklearn.metrics",
    "torch", "torch._dynamo", "safetensors.torch", "matplotlib.figure", "jinja2", "mlflow", "mlflow.store.tracking.sqlalchemy_store",
    "snakemake.cli", "deepspeed",
)  # fmt: skip
QUIET = {"DS_ACCELERATOR": "cpu", "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
SHIM = """#!{python} -IS
import json, os, signal, socket, sys
name, arguments = {name!r}, sys.argv[1:]
if name == "python" and arguments[:2] != ["-m", "ecglfm"]:
    os.execv({python!r}, [{python!r}, *arguments])
if name == "ecglfm":
    name, arguments = "python", ["-m", "ecglfm", *arguments]
asked = json.dumps([name, arguments, os.getcwd(), dict(os.environ)]).encode("utf-8", "surrogateescape")
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    for passed in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(passed, lambda number, _: server.sendall(bytes([number])))
    socket.send_fds(server, [len(asked).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(asked)
    status = int.from_bytes(server.recv(8) or b"\\1", "big", signed=True)  # 1 where the watcher died
if status < 0:
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@functools.cache
def shims() -> Path:
    """Folder of `python`, `ecglfm` and `snakemake` that run warm, the same for all processes of a run of tests."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        folder = Path(tempfile.mkdtemp(prefix="warm-"))
        start(folder, os.getpid())
        return folder
    folder = Path(tempfile.gettempdir()) / f"warm-{run}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "socket").exists():
            start(folder, os.getppid())  # it ends with the run, not with the first of its processes
    return folder


def start(folder: Path, owner: int, *way_in: str, **environment: str) -> subprocess.Popen[bytes]:
    """Put the same into a folder; the process behind it begins by these words and ends with its owner."""
    address = str(folder / "socket")
    for name in ("python", "ecglfm", "snakemake", "script"):
        shim = folder / name
        shim.write_text(SHIM.format(python=sys.executable, name=name, address=address))
        shim.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening, (folder / "log").open("w") as log:
        listening.bind(address)
        listening.listen(64)
        arguments = map(str, (Path(__file__).resolve(), listening.fileno(), folder, owner))
        command = [*way_in, sys.executable, *arguments]
        return subprocess.Popen(
            command, env=os.environ | environment | QUIET, pass_fds=[listening.fileno()], cwd="/",
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


def script() -> str:
    """A `python` for `-c CODE …` and for files, whose code finds all imported."""
    return str(shims() / "script")


def serve(listening: socket.socket, owner: int) -> None:
    """Import, and then fork for whoever comes, until the owner is no more."""
    ended = os.pidfd_open(owner)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who watch
    for name in MODULES:
        importlib.import_module(name)
    for name in QUIET:
        os.environ.pop(name)
    gc.freeze()
    while ended not in select.select([listening, ended], [], [])[0]:
        caller, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _watch(caller)
        caller.close()


def _watch(caller: socket.socket) -> None:
    """Fork what is asked for, and tell its end to the caller, or end it where the caller has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    header, files, *_ = socket.recv_fds(caller, 8, 3)
    asked = b""
    while len(asked) < int.from_bytes(header, "big"):
        asked += caller.recv(1 << 20)
    job = os.fork()
    if job == 0:
        caller.close()
        _become(files, *json.loads(asked.decode("utf-8", "surrogateescape")))
    for file in files:
        os.close(file)
    ended = os.pidfd_open(job)
    alive = True
    while alive and ended not in select.select([ended, caller], [], [])[0]:
        numbers = caller.recv(64)
        alive = bool(numbers)
        for number in numbers or [signal.SIGTERM]:
            os.kill(job, number)
    status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    if alive:
        caller.sendall(status.to_bytes(8, "big", signed=True))
    os._exit(0)


def _become(files: list[int], name: str, arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be that command, to the end of this process."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [name, *arguments]
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(":"))]
    status: object = 0
    try:
        if name == "snakemake":
            from snakemake.cli import main

            sys.exit(main())
        sys.executable = str(SHIMS / "python")  # ranks that `launch` starts, and nothing else, are warm too
        if name == "script":
            _run_script(arguments)
        else:
            sys.argv = ["ecglfm", *arguments[2:]]
            runpy.run_module("ecglfm", run_name="__main__", alter_sys=True)
    except SystemExit as stopped:
        status = stopped.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:  # as the interpreter would
        traceback.print_exc()
        status = 1
    _end(int(status or 0))  # type: ignore[call-overload]


def _end(status: int) -> None:
    """End as Python does, but for taking apart all that was imported before: page after page of it would be copied for that.

    That was half of what a small job took.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(status)


def _run_script(arguments: list[str]) -> None:
    """What Python would do of `-c CODE …` or `FILE …`."""
    if arguments[0] != "-c":
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
        return
    sys.argv = ["-c", *arguments[2:]]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(arguments[1], "<string>", "exec"), main.__dict__)


if __name__ == "__main__":
    SHIMS = Path(sys.argv[2])
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[3]))
    shutil.rmtree(SHIMS)
