"""`benchmark plan`: a dry run of the workflow, against the start of Snakemake alone."""

from __future__ import annotations

import argparse
import subprocess
import sys

from ecglfm.benchmark.timing import report, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--runs", type=int, default=5, help="runs of each, in turn")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""

    def snakemake(*arguments: str) -> float:
        return seconds(
            lambda: subprocess.run([sys.executable, "-m", "snakemake", *arguments], check=True, capture_output=True)
        )

    pairs = [(snakemake("-n"), snakemake("--version")) for _ in range(args.runs)]
    report("snakemake -n", [a for a, _ in pairs], "snakemake --version", [b for _, b in pairs])
