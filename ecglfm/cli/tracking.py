"""`ecglfm tracking`: what MLflow lacks after trouble."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.config.wording import counted


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("tracking", help="make MLflow whole after it was out of reach")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    sync = actions.add_parser("sync", help="bring to MLflow what it lacks of the runs of a results folder")
    sync.add_argument("results", type=Path, nargs="?", default=Path("results"), help="default: results")
    sync.add_argument("--tracking", type=Path, metavar="FILE", help="default: RESULTS/config/tracking.yaml")
    sync.set_defaults(run=_sync)


def _sync(args: argparse.Namespace) -> None:
    from ecglfm.config import TrackingSlice, UserError, load
    from ecglfm.tracking.sync import sync

    if not args.results.is_dir():
        raise UserError(f"{args.results}: no such folder; name the one that the workflow fills")
    tracking = load(TrackingSlice, args.tracking or args.results / "config" / "tracking.yaml")
    done = sync(args.results, tracking)
    counts = {name: number for name, number in sorted(done.items()) if number and name != "journals"}
    told = ", ".join(f"{name} {number}" for name, number in counts.items()) or "MLflow lacked nothing"
    print(f"{args.results}: {counted(done['journals'], 'run')}; {told}")
