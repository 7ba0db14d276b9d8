"""Commands of the group `comparison`: `compare`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    compare = commands.add_parser("compare", help="compare the encoders of one task on the locked test split")
    compare.add_argument("--config", type=Path, required=True, help="slice of the config: config/evaluate.yaml")
    compare.add_argument("--results", type=Path, required=True, help="folder of every output")
    compare.add_argument("--task", required=True, help="name of the task")
    compare.add_argument("--models", nargs="+", required=True, metavar="ENCODER/FIT", help="evaluated models")
    compare.add_argument("--output", type=Path, required=True, help="JSON; a table is written beside it, as .csv")
    compare.set_defaults(run=_compare)


def _compare(args: argparse.Namespace) -> None:
    from ecglfm.config import EvaluateSlice, load
    from ecglfm.evaluation.comparison import run_compare

    config = load(EvaluateSlice, args.config).evaluate
    run_compare(config, evaluations=args.results / "evaluate", task=args.task, models=args.models, output=args.output)
