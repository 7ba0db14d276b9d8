"""`snakemake --profile slurm pretrain`, typed so in a fresh clone, on a real two-node Slurm on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecglfm.provenance import read_json

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


@pytest.fixture
def slurm(slurm_sandbox: Path) -> Iterator[dict[str, str]]:
    """Environment in which sbatch and squeue speak to a cluster of two nodes."""
    state = tempfile.mkdtemp(prefix="slurm-")  # short: its sockets' paths are limited
    environment = os.environ | {"SLURM_SANDBOX_DIR": state}
    started = subprocess.run([slurm_sandbox, "up"], env=environment, text=True, capture_output=True, timeout=300)
    if started.returncode != 0:
        if os.environ.get("ECGLFM_REQUIRE_ALL"):
            pytest.fail(started.stderr)
        pytest.skip(f"no Slurm here: {started.stderr.strip().splitlines()[-1]}")
    try:
        yield dict(re.findall(r"^export (\w+)=['\"]?(.*?)['\"]?;?$", started.stdout, re.M))
    finally:
        subprocess.run([slurm_sandbox, "down"], env=environment, capture_output=True, timeout=120, check=False)
        shutil.rmtree(state, ignore_errors=True)


def test_pretrain_on_two_nodes(clone, slurm: dict[str, str]) -> None:
    path = slurm.pop("PATH", "").replace("$PATH", "")
    environment = clone.environment()
    slurm["PATH"] = f"{path}:{environment['PATH']}".strip(":")
    done = clone.run("snakemake", "--profile", "slurm", "pretrain", check=False, **slurm)
    log = clone.results / "logs/pretrain/tiny.log"
    assert done.returncode == 0, done.stdout[-3000:] + (log.read_text()[-3000:] if log.exists() else "")
    assert read_json(clone.results / "pretrain/tiny/encoder.json")["training"]["processes"] == 2
