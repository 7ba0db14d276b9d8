"""Fixtures that every test shares: where real recordings, parity files and the Slurm sandbox lie.

A test that needs a folder which is not there skips with a reason; with ECGLFM_REQUIRE_ALL set (as
`.ci/run` does) it fails instead.
"""

from __future__ import annotations

import fcntl
import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from ecglfm.process import tune_process

# Test processes fill the cores: a second thread of BLAS only waits for the first, and spins while it does. Measuring beats
# in three processes on two cores took 3.5 times the processor's time. A test of threads says itself how many.
os.environ.setdefault("OMP_NUM_THREADS", "1")
tune_process()  # before torch is imported: tests use the processor as the commands do

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """On CI's fresh clone the first process compiles what all import, while the checks run; the others then find it."""
    with Path(__file__).open() as shared:
        if "ECGLFM_REQUIRE_ALL" in os.environ:
            try:
                fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                fcntl.flock(shared, fcntl.LOCK_SH)
        return (yield)


def pytest_collection_finish() -> None:
    """Python's collector does not look through the libraries and tests again and again: a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that wait for Slurm begin, so that others have the processor meanwhile; the rest stays in its order."""
    items.sort(key=lambda item: item.get_closest_marker("slurm") is None)


def _folder(variable: str, default: Path) -> Path:
    path = Path(os.environ.get(variable, default))
    if path.exists():
        return path.resolve()
    reason = f"{path} does not exist; set {variable}"
    if os.environ.get("ECGLFM_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of this checkout."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Genuine recordings, a folder per database."""
    return _folder("ECGLFM_REAL_DATA", ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def odd_inputs() -> Path:
    """Small inputs that some version could not read, a folder per kind of file."""
    return _folder("ECGLFM_CASES", ROOT.parent / "shared" / "cases")


@pytest.fixture(scope="session")
def original_parity() -> Path:
    """A small checkpoint of the original with its inputs and outputs; `tests/parity` has some of a reference."""
    return _folder("ECGLFM_PARITY", ROOT.parent / "shared" / "parity")


@pytest.fixture(scope="session")
def peers() -> Path:
    """Small checkpoints that other authors' code wrote, with what it gave for them; a folder per encoder."""
    return _folder("ECGLFM_PEERS", ROOT.parent / "shared" / "peers")


@pytest.fixture(scope="session")
def slurm_sandbox() -> Path:
    """Script that starts a real Slurm on loopback."""
    return _folder("ECGLFM_SLURM_SANDBOX", ROOT / "tests" / "slurm-sandbox")
