"""Commands for models that answer over HTTP: `register`; `make serve` starts the server of what it registers."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_at


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("register", help="put a fine-tuned model into MLflow's registry, to be served")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that finetune wrote")
    parser.add_argument("--name", help="in the registry; default: ENCODER-TASK-FIT")
    parser.add_argument(
        "--tracking", type=Path, metavar="FILE", help="default: config/tracking.yaml of the model's results folder"
    )
    add_at(parser)
    parser.set_defaults(run=_register)


def _register(args: argparse.Namespace) -> None:
    from ecglfm.app.serving import register_model
    from ecglfm.config import TrackingSlice, UserError, load

    tracking = args.tracking
    if tracking is None:
        places = [folder / "config" / "tracking.yaml" for folder in args.model.absolute().parents]
        tracking = next((place for place in places if place.is_file()), None)
    if tracking is None:
        raise UserError(f"--model {args.model}: lies in no results folder; say --tracking config/tracking.yaml")
    made = register_model(args.model, load(TrackingSlice, tracking), name=args.name, at=args.at)
    print(f"{made.uri} {'registered' if made.new else 'was registered before'} in {made.store}")
