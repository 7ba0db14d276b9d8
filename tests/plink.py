"""PLINK 2 and PLINK 1.9 for tests: Debian's packages, installed where they are missing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_PROGRAMS = ("plink2", "plink1.9")
_WAIT = ["-o", "DPkg::Lock::Timeout=300"]  # for another test's installation
_APT = [
    "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *_WAIT, "install", "-y", "--no-install-recommends", *_PROGRAMS,
]  # fmt: skip
_LOCK = Path(tempfile.gettempdir(), "ecglfm-plink.lock")


def _missing() -> bool:
    return any(shutil.which(name) is None for name in _PROGRAMS)


def need_plink() -> None:
    """See that both are on PATH; without them a test skips, or fails where nothing may be missing."""
    if _missing():
        with contextlib.suppress(OSError), _LOCK.open("w") as file:  # no apt-get, no sudo
            fcntl.flock(file, fcntl.LOCK_EX)  # several processes of pytest come here at once, and apt-get takes one
            root = [] if os.geteuid() == 0 else ["sudo", "-n"]
            for step in (_APT, ["apt-get", "update"], _APT):  # the lists of a fresh container are empty or stale
                if _missing():
                    subprocess.run([*root, *step], capture_output=True)
    if _missing():
        (pytest.fail if os.environ.get("ECGLFM_REQUIRE_ALL") else pytest.skip)("PLINK cannot be installed here")
