"""`ecglfm doctor`: whether this machine is fit for the pipeline."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import read_project

_UNSEEN = 3  # exit status where a GPU was to be looked at, and there is none


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser(
        "doctor", help="check packages, GPUs, disk, databases, MLflow and Slurm",
        epilog="Exit status: 0, nothing failed; 1, something did; 3, nothing did, but --gpu found no GPU to look at.",
    )  # fmt: skip
    parser.add_argument("--folder", type=Path, default=Path("config"), help="folder of config.yaml (default: config)")
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=[], metavar="FILE", help="recipes over it, as Snakemake's option"
    )
    parser.add_argument("--profile", metavar="NAME", help="Snakemake profile to check against Slurm, e.g. slurm")
    parser.add_argument(
        "--gpu", nargs="*", metavar="ENCODER",
        help="make steps of these pretrainings on every GPU, against the processor (default: those of the config)",
    )  # fmt: skip
    parser.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    from ecglfm.app.doctor import examine

    replaced = {"encoders": args.gpu} if args.gpu else {}
    project = read_project(args.folder / "config.yaml", args.configfile, **replaced)
    levels = set()
    for finding in examine(project, args.profile, gpus=args.gpu is not None):
        print(finding, flush=True)
        levels.add(finding.level)
    return 1 if "fail" in levels else _UNSEEN if "skip" in levels else 0
