"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecglfm.config import TrackingSlice, load, read_yaml
from ecglfm.extras import need


def add_tracking(parser: argparse.ArgumentParser) -> None:
    """Declare `--tracking` and `--rule`."""
    parser.add_argument(
        "--tracking", type=Path, metavar="FILE", help="config/tracking.yaml; without it nothing goes to MLflow"
    )
    parser.add_argument("--rule", metavar="NAME", help="the Snakemake rule, a tag in MLflow")


def tracking_of(args: argparse.Namespace) -> TrackingSlice | None:
    """Where MLflow is; None without `--tracking`."""
    return load(TrackingSlice, args.tracking) if args.tracking else None


def read_config(path: Path, recipes: Sequence[Path]) -> dict[str, Any]:
    """A config file with recipes laid over it, as Snakemake's `--configfile` does."""
    content = read_yaml(path)
    if recipes:
        need("snakemake", extra="workflow", what="--configfile")
        from snakemake.utils import update_config

        for recipe in recipes:
            update_config(content, read_yaml(recipe))
    return content
