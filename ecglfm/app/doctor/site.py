"""What a profile of Snakemake names, against what Slurm knows."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecglfm.app.doctor.finding import Finding, fail, ok, warn
from ecglfm.config import read_yaml
from ecglfm.extras import need


def check_slurm(profile: str) -> Iterator[Finding]:
    """Partitions and accounts of a profile against those of this cluster."""
    need("snakemake", extra="workflow", what="--profile")
    from snakemake.cli import get_profile_dir  # finds the folder and the file of the version as `--profile` does

    found = get_profile_dir(profile)
    if found is None:
        yield fail(f"Slurm: there is no profile {profile}: run this where `snakemake --profile {profile}` is run")
        return
    path = Path(found[1])
    content = read_yaml(path)
    partitions = _asked("sinfo", "--noheader", "--format=%R")
    if partitions is None:
        yield warn("Slurm: sinfo does not answer here, so the profile is not checked: run this on the login node")
        return
    for name in named(content, "slurm_partition"):
        if name in partitions:
            yield ok(f"Slurm partition {name}")
        else:
            yield fail(f"Slurm partition {name} of {path} does not exist; there are: {', '.join(sorted(partitions))}")
    accounts = named(content, "slurm_account")
    mine = _asked("sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={getpass.getuser()}",
                  "format=account") if accounts else None  # fmt: skip
    for name in accounts:
        if mine is None:
            yield warn(f"Slurm account {name}: sacctmgr does not answer here, so it is not checked")
        elif name in mine:
            yield ok(f"Slurm account {name}")
        else:
            yield fail(f"Slurm account {name} of {path} is none of yours: {', '.join(sorted(mine)) or 'you have none'}")


def named(profile: dict[str, Any], resource: str) -> list[str]:
    """Every value of a resource in a profile, e.g. of `slurm_partition`; several may be joined by commas."""
    sections = [profile.get("default-resources") or {}, *(profile.get("set-resources") or {}).values()]
    values = [str(section[resource]) for section in sections if section and resource in section]
    names = [name.strip() for value in values for name in value.strip("'\"").split(",")]
    return list(dict.fromkeys(name for name in names if name))


def _asked(*command: str) -> set[str] | None:
    """Lines that a command of Slurm answers; None where it does not."""
    try:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {line.strip() for line in shown.stdout.splitlines() if line.strip()} if shown.returncode == 0 else None
