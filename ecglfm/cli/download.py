"""`ecglfm download`: fetch public databases into their roots."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.config import DownloadSlice, load


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    text = "Fetch databases from their public homes; run it again to go on, or to look for what is missing."
    parser = commands.add_parser("download", help=text, description=text)
    parser.add_argument(
        "--config", type=Path, nargs="*", required=True, metavar="FILE", help="config/download/{source}.yaml"
    )
    parser.add_argument("--connections", type=int, default=4, metavar="N", help="files fetched at a time (default: 4)")
    parser.set_defaults(run=_download)


def _download(args: argparse.Namespace) -> None:
    from ecglfm.sources.download import run_download

    if not args.config:
        print("nothing to download: no source of the config is published, or each root is there already")
    configs = [load(DownloadSlice, path) for path in args.config]
    for config in sorted(configs, key=lambda config: config.url is None):  # those that only a person can get come last
        print(run_download(config, args.connections), flush=True)
