"""`ecglfm describe-labels`: what a label set would hold, before anything trains."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ecglfm.cli.arguments import read_project

if TYPE_CHECKING:
    from ecglfm.config import SourceSlice
    from ecglfm.config.difference import Change


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


def _changed(now: SourceSlice, written: Path) -> list[Change]:
    """How a source differs from the one that was indexed; where it lies does not count: `--config` may have said it."""
    from ecglfm.config import SourceSlice, load
    from ecglfm.config.difference import difference

    if not written.is_file():
        return []
    was = load(SourceSlice, written)
    found = difference(was.model_dump(mode="json"), now.model_dump(mode="json"))
    return [change for change in found if change.key != "config.root"]


def _describe(args: argparse.Namespace) -> None:
    from ecglfm.config import UserError
    from ecglfm.data.labels import describe, describe_pairs

    project = read_project(args.config, args.configfile, tasks=[args.task], encoders=[])
    results = Path(project.config.results)
    manifest = results / "manifest/records.parquet"
    index = [results / f"index/{source}.parquet" for source in project.task_sources(args.task)]
    recipes = "".join(f" {path}" for path in args.configfile)
    command = f"snakemake manifest{' --configfile' if recipes else ''}{recipes}"
    for path in (*index, manifest):
        if not path.is_file():
            raise UserError(f"{path}: not there yet; make it first: {command}")
    for path in index:
        if changed := _changed(project.source_slice(path.stem), results / f"config/source/{path.stem}.yaml"):
            raise UserError(f"{path}: made before {', '.join(map(str, changed))}; make it anew: {command}")
    if args.task in project.verifications:
        print(describe_pairs(project.verify_slice(args.task), manifest))
    else:
        print(describe(project.task_slice(args.task), manifest, index))
