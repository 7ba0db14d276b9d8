"""A node without a network: the whole DAG runs where nothing but the loopback exists, and nothing else is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

#: Brings the loopback up (SIOCSIFFLAGS of netdevice(7): IFF_UP, IFF_RUNNING), then becomes the command.
LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))
os.execvp(sys.argv[1], sys.argv[1:])
"""

#: Python runs it at every start: each name that is looked up and each address that is called goes to a file.
SITECUSTOMIZE = """
import os, socket, sys
def note(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and not host.startswith("127.") and host not in ("localhost", "::1", "::", "0.0.0.0", socket.gethostname()):
        with open(os.environ["CALLED"], "a") as file:
            file.write(f"{host} by {sys.argv}\\n")
sys.addaudithook(note)
"""


@pytest.fixture(scope="module")
def gap() -> list[str]:
    """Start of a command line that has no network but its own loopback."""
    # MLflow sends no usage data where it sees a test or a CI; a lab's node is neither.
    plain = ["env", *(f"--unset={name}" for name in ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "CI"))]
    for flags in ("-n", "-rn"):  # as root; as anybody where user namespaces are allowed
        gap = [*plain, "unshare", flags, sys.executable, "-S", "-c", LOOPBACK]
        if subprocess.run([*gap, "true"], capture_output=True).returncode == 0:
            return gap
    pytest.skip("no network namespace can be made here")


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of what Python programs called outside."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(SITECUSTOMIZE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("CALLED", str(tmp_path / "called"))
    return tmp_path / "called"


def test_the_gap_is_one_and_calls_are_noted(gap: list[str], called: Path) -> None:
    code = "import urllib.request as u\ntry: u.urlopen('http://192.0.2.1')\nexcept OSError as e: print(e)"
    shown = subprocess.run([*gap, sys.executable, "-c", code], capture_output=True, text=True)
    assert "Network is unreachable" in shown.stdout
    assert called.read_text() == "192.0.2.1 by ['-c']\n" * 2  # looked up and called


def test_the_whole_dag_runs_in_the_gap(clone, gap: list[str], called: Path) -> None:
    clone.edit("config/config.yaml", tracking={"enabled": True})
    clone.run(*gap, "snakemake")
    assert (clone.results / "report/index.html").exists()
    assert (clone.results / "mlflow.db").exists()
    assert not called.exists(), called.read_text()
