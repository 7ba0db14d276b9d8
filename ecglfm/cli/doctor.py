"""`ecglfm doctor`: whether this machine is fit for the pipeline."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import read_config


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("doctor", help="check packages, GPUs, disk, databases, MLflow and Slurm")
    parser.add_argument("--folder", type=Path, default=Path("config"), help="folder of config.yaml (default: config)")
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=[], metavar="FILE", help="recipes over it, as Snakemake's option"
    )
    parser.add_argument("--profile", metavar="NAME", help="Snakemake profile to check against Slurm, e.g. slurm")
    parser.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    from ecglfm.app.doctor import examine
    from ecglfm.config import Project

    content = read_config(args.folder / "config.yaml", args.configfile)
    failed = False
    for finding in examine(Project(content, args.folder), args.profile):
        print(finding, flush=True)
        failed = failed or finding.level == "fail"
    return int(failed)
