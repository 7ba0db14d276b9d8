"""A PostgreSQL of a test's own: Debian's package, in a temporary folder, on localhost, with a password."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_WAIT = ["-o", "DPkg::Lock::Timeout=300"]  # for another test's installation
_APT = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *_WAIT, "install", "-y", "--no-install-recommends"]
_NO_CLUSTER = "echo 'create_main_cluster = false' >> /etc/postgresql-common/createcluster.conf"


def _programs() -> Path | None:
    """Folder of initdb and pg_ctl."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return found[-1].parent if found else None


def _install() -> None:
    """Install the package; without the cluster that it would start at once."""
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    steps = [[*_APT, "postgresql-common"], ["sh", "-c", _NO_CLUSTER], [*_APT, "postgresql"]]
    for attempt in (steps, [["apt-get", "update"], *steps]):  # the lists of a fresh container are empty or stale
        if all(subprocess.run([*root, *step], capture_output=True).returncode == 0 for step in attempt):
            return


def programs() -> Path:
    """Folder of PostgreSQL's programs, which are installed where they are missing."""
    try:
        if _programs() is None:
            _install()
    except OSError:
        pass  # no apt-get, no sudo
    found = _programs()
    if found is None:
        (pytest.fail if os.environ.get("ECGLFM_REQUIRE_ALL") else pytest.skip)("PostgreSQL cannot be installed here")
    return found


@contextmanager
def postgres(port: int) -> Iterator[str]:
    """Start a server; yields the URI of its empty database, and leaves nothing."""
    binaries, folder, password = programs(), Path(tempfile.mkdtemp(prefix="postgres-")), secrets.token_hex(16)
    owner = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}  # it refuses to run as root

    def run(name: str, *arguments: str) -> None:
        command = [binaries / name, "--pgdata", folder / "data", *arguments]
        log = folder / f"{name}.log"
        with log.open("a") as file:
            done = subprocess.run(command, cwd=folder, stdout=file, stderr=file, timeout=120, **owner)
        assert done.returncode == 0, log.read_text()

    try:
        (folder / "password").write_text(password)
        if owner:
            for path in (folder, folder / "password"):
                shutil.chown(path, **owner)
        run("initdb", "--username=mlflow", f"--pwfile={folder}/password", "--auth=scram-sha-256", "--no-sync")
        run("pg_ctl", "start", "--wait", f"--options=-h 127.0.0.1 -p {port} -k {folder} -c fsync=off")
        try:
            yield f"postgresql://mlflow:{password}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(folder)
