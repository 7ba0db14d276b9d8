"""The step that shows what the others made: `discover report`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_steps(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the step."""
    report = steps.add_parser("report", help="one page with every table and figure that was made")
    report.add_argument("--folder", type=Path, required=True, help="discover/{encoder}, where the other steps wrote")
    report.add_argument("--planted", type=Path, help="planted.tsv of simulated genotypes")
    report.add_argument("--without", nargs="*", default=[], metavar="SECTION", help="sections to leave out")
    report.add_argument("--output", type=Path, required=True, help="HTML file")
    report.set_defaults(run=_report)


def _report(args: argparse.Namespace) -> None:
    from ecglfm.discovery.report import run_discovery_report

    run_discovery_report(args.folder, args.output, planted=args.planted, without=args.without)
