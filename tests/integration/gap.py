"""A place without a network, and what Python programs ask of one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def way_in() -> list[str]:
    """Start of a command line that has no network but its own loopback; empty where no such place can be made."""
    # MLflow sends no usage data where it sees a test or a CI; a lab's node is neither.
    plain = ["env", *(f"--unset={name}" for name in ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "CI"))]
    for flags in ("-n", "-rn"):  # as root; as anybody where user namespaces are allowed
        words = [*plain, "unshare", flags, sys.executable, "-S", "-c", LOOPBACK]
        if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
            return words
    return []


def watched(folder: Path) -> dict[str, str]:
    """Environment in which the file `called` there gets what Python programs call outside."""
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(SITECUSTOMIZE)
    return {"PYTHONPATH": str(folder / "site"), "CALLED": str(folder / "called")}
