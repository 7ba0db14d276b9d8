"""Partitions and accounts that Slurm must know."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.app.doctor import site
from tests.unit.app.doctor.findings import lines


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile with two partitions and two accounts, in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "slurm/config.yaml"
    path.parent.mkdir()
    path.write_text(
        "executor: slurm\n"
        "default-resources:\n  slurm_partition: \"'main'\"\n  slurm_account: lab\n  runtime: 60\n"
        "set-resources:\n  pretrain_encoder:\n    slurm_partition: \"'gpu,main'\"\n    slurm_account: \"'rich'\"\n"
        "  report:\n    mem_mb: 16000\n"
    )
    return path


def test_partitions_and_accounts(profile: Path, programs) -> None:
    programs("sinfo", "echo main; echo long")
    programs("sacctmgr", "echo lab; echo other")
    assert lines(site.check_slurm("slurm")) == [
        "ok   Slurm partition main",
        "fail Slurm partition gpu of slurm/config.yaml does not exist; there are: long, main",
        "ok   Slurm account lab",
        "fail Slurm account rich of slurm/config.yaml is none of yours: lab, other",
    ]
    programs("sacctmgr", "exit 1")
    assert lines(site.check_slurm("slurm"))[2:] == [
        "warn Slurm account lab: sacctmgr does not answer here, so it is not checked",
        "warn Slurm account rich: sacctmgr does not answer here, so it is not checked",
    ]


def test_a_site_has_its_own_copy_of_the_profile(profile: Path, programs) -> None:
    programs("sinfo", "echo short")
    profile.with_name("config.v9+.yaml").write_text("default-resources:\n  slurm_partition: short\n")
    assert lines(site.check_slurm("slurm")) == ["ok   Slurm partition short"]


def test_no_slurm_and_no_profile(profile: Path, programs) -> None:
    (line,) = lines(site.check_slurm("slurm"))
    assert line.startswith("warn Slurm: sinfo does not answer here")
    (line,) = lines(site.check_slurm("mine"))
    assert line.startswith("fail Slurm: there is no profile mine")


def test_the_profile_that_ships_names_a_partition(repository: Path, programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    programs("sinfo", "echo main")
    assert lines(site.check_slurm("workflow/profiles/slurm/config.yaml"))[0] == "ok   Slurm partition main"
