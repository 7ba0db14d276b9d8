"""`ecglfm describe-labels`: what a label set would hold, before anything trains."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import read_config


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    text = "Say what a label set holds: counts by split and source, overlaps, codes that match nothing."
    parser = commands.add_parser("describe-labels", help=text, description=text)
    parser.add_argument("task", metavar="TASK", help="config/tasks/TASK.yaml, also one that config.yaml does not name")
    parser.add_argument(
        "--config", type=Path, default=Path("config/config.yaml"), metavar="FILE", help="default: config/config.yaml"
    )
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=[], metavar="FILE", help="recipes over it, as Snakemake's option"
    )
    parser.set_defaults(run=_describe)


def _describe(args: argparse.Namespace) -> None:
    from ecglfm.config import Project, UserError
    from ecglfm.data.labels import describe, describe_pairs

    content = read_config(args.config, args.configfile)
    project = Project(content | {"tasks": [args.task], "encoders": []}, args.config.parent)
    results = Path(project.config.results)
    manifest = results / "manifest/records.parquet"
    index = [results / f"index/{source}.parquet" for source in project.task_sources(args.task)]
    missing = [path for path in (*index, manifest) if not path.is_file()]
    if missing:
        recipes = "".join(f" {path}" for path in args.configfile)
        command = f"snakemake manifest{' --configfile' if recipes else ''}{recipes}"
        raise UserError(f"{missing[0]}: not there yet; make it first: {command}")
    if args.task in project.verifications:
        print(describe_pairs(project.verify_slice(args.task), manifest))
    else:
        print(describe(project.task_slice(args.task), manifest, index))
