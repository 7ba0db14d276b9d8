"""Command `methods`: the methods section of a paper and the TRIPOD+AI checklist, from a finished run."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_paths
from ecglfm.config.wording import counted


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command of this group."""
    parser = commands.add_parser(
        "methods", help="write a methods section and the TRIPOD+AI checklist from a finished run"
    )
    add_paths(parser, "results")
    parser.add_argument("--encoder", nargs="+", default=[], help="encoders to write about (default: all evaluated)")
    parser.add_argument("--task", nargs="+", default=[], help="tasks to write about (default: all evaluated)")
    parser.add_argument("--fit", nargs="+", default=[], help="fits to write about (default: all evaluated)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.md", help="the Markdown file")
    parser.set_defaults(run=_methods)


def _methods(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.methods import write_methods

    left = write_methods(args.results, args.output, encoders=args.encoder, tasks=args.task, fits=args.fit)
    items = counted(left, "item is", "items are")
    print(f"{args.output}: methods, and the checklist of TRIPOD+AI; {items} to be written by the authors")
