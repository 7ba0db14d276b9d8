"""`snakemake --profile slurm pretrain`, typed so in a fresh clone, on a real two-node Slurm on loopback."""

from __future__ import annotations

import pytest

from ecglfm.provenance import read_json

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


def test_pretrain_on_two_nodes(clone, slurm: dict[str, str]) -> None:
    done = clone.run("snakemake", "--profile", "slurm", "pretrain", check=False, **slurm)
    log = clone.results / "logs/pretrain/tiny.log"
    assert done.returncode == 0, done.stdout[-3000:] + (log.read_text()[-3000:] if log.exists() else "")
    assert read_json(clone.results / "pretrain/tiny/encoder.json")["training"]["processes"] == 2
