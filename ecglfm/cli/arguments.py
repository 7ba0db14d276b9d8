"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.config import TrackingSlice, load


def add_tracking(parser: argparse.ArgumentParser) -> None:
    """Declare `--tracking` and `--rule`."""
    parser.add_argument(
        "--tracking", type=Path, metavar="FILE", help="config/tracking.yaml; without it nothing goes to MLflow"
    )
    parser.add_argument("--rule", metavar="NAME", help="the Snakemake rule, a tag in MLflow")


def tracking_of(args: argparse.Namespace) -> TrackingSlice | None:
    """Where MLflow is; None without `--tracking`."""
    return load(TrackingSlice, args.tracking) if args.tracking else None
