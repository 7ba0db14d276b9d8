"""A job that is forked from a warm process is as one that a user starts: its code, folder, environment, files, end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration import warm

CODE = """
import atexit, os, signal, sys, threading, time
atexit.register(print, "at exit")
if sys.argv[1] != "wait":
    threading.Timer(0.1, print, ["timed"]).start()
print(sys.argv[1:], os.getcwd(), os.environ.get("WORD"), "PATH" in os.environ, sys.stdin.read())
print("torch" in sys.modules, file=sys.stderr)
if sys.argv[1] == "stop":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "fail":
    raise KeyError("nothing")
if sys.argv[1] == "wait":
    signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75))
    open("pid", "w").write(str(os.getpid()))
    time.sleep(600)
sys.exit({"end": None, "three": 3, "say": "said"}[sys.argv[1]])
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder whose `ecglfm` is another one."""
    (tmp_path / "ecglfm").mkdir()
    (tmp_path / "ecglfm/__init__.py").touch()
    (tmp_path / "ecglfm/__main__.py").write_text(CODE)
    return tmp_path


def command(word: str) -> list[str]:
    return [str(warm.shims() / "python"), "-m", "ecglfm", word]


@pytest.mark.parametrize(
    ("word", "status", "errors"),
    [
        ("end", 0, "True\n"),
        ("three", 3, "True\n"),
        ("say", 1, "True\nsaid\n"),
        ("fail", 1, "KeyError: 'nothing'\n"),
        ("stop", -signal.SIGKILL, ""),
    ],
)
def test_it_ends_as_python_would(package: Path, word: str, status: int, errors: str) -> None:
    done = subprocess.run(
        command(word), cwd=package, env={"WORD": "b\udce9"}, input="asked", text=True, capture_output=True, errors="surrogateescape"
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert done.stderr.endswith(errors)
    if word != "stop":
        assert done.stdout == f"['{word}'] {package} b\udce9 False asked\ntimed\nat exit\n"


def waiting(package: Path, deadline: float) -> tuple[subprocess.Popen[bytes], int]:
    """A command that waits, and the process that does so in its place."""
    started = subprocess.Popen(command("wait"), cwd=package, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not ((package / "pid").exists() and (package / "pid").read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return started, int((package / "pid").read_text())


def test_it_hears_signals(package: Path) -> None:
    started, _ = waiting(package, time.monotonic() + 300)
    started.send_signal(signal.SIGUSR1)
    assert started.wait(300) == 75


def test_it_ends_with_whom_it_was_started_by(package: Path) -> None:
    deadline = time.monotonic() + 300
    started, job = waiting(package, deadline)
    started.kill()
    started.wait()
    while os.path.exists(f"/proc/{job}"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_another_python_is_the_real_one(package: Path) -> None:
    done = subprocess.run([warm.shims() / "python", "-c", "import sys; print('torch' in sys.modules)"], stdout=-1)
    assert done.stdout == b"False\n"


def test_the_command_is_the_package_too(package: Path) -> None:
    done = subprocess.run(
        [warm.shims() / "ecglfm", "three"], cwd=package, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert done.returncode == 3
    assert done.stdout.startswith(b"['three'] ")


def test_code_and_files_run_as_scripts(package: Path) -> None:
    """With PYTHONPATH, and as `__main__` of arguments of their own; what they start is warm where it is the package."""
    (package / "elsewhere").mkdir()
    (package / "elsewhere/beside.py").write_text("word = 'found'")
    code = "import beside, sys; print(__name__, sys.argv[1:], beside.word, 'torch' in sys.modules, sys.executable)"
    (package / "file.py").write_text(code)
    for words in (["-c", code], [package / "file.py"]):
        done = subprocess.run(
            [warm.script(), *words, "a", "b"], cwd=package, env={"PYTHONPATH": str(package / "elsewhere")}, stdout=-1
        )
        assert done.returncode == 0
        assert done.stdout.decode() == f"__main__ ['a', 'b'] found True {warm.shims() / 'python'}\n"
