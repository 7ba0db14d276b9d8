"""Commands about one recording: `plot`, `explain`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_file_options, add_threads, files_reader

LAYOUTS = ("3x4", "6x2", "cabrera", "single")  # of ecglfm.evaluation.plots, which `--help` does not wait for


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    plot = commands.add_parser("plot", help="draw a recording on 25 mm/s paper")
    _add_recording(plot)
    plot.add_argument("--output", type=Path, required=True, metavar="FILE", help=".png, .pdf, .svg or .html")
    plot.add_argument("--model", type=Path, metavar="DIR", help="folder that finetune wrote: its answer stands above")
    plot.add_argument("--layout", choices=LAYOUTS, help="default: 3x4 with a rhythm strip, single of one lead")
    plot.add_argument("--lead", metavar="LEAD", help="of the rhythm strip, or of `single`; default: II")
    plot.add_argument("--start", type=float, default=0.0, metavar="S", help="where to begin, s")
    plot.add_argument("--title", help="above the paper; default: the record's name")
    plot.set_defaults(run=_plot)

    explain = commands.add_parser("explain", help="show what in a recording speaks for a model's answer")
    _add_recording(explain)
    explain.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that finetune wrote")
    explain.add_argument("--label", required=True, help="the answer that is explained, one of the model's labels")
    explain.add_argument("--output", type=Path, required=True, metavar="FILE", help=".png, .pdf, .svg, .html or .json")
    explain.add_argument("--layout", choices=LAYOUTS, help="default: 3x4 with a rhythm strip")
    explain.add_argument("--start", type=float, default=0.0, metavar="S", help="where the sheet begins, s")
    add_threads(explain)
    explain.set_defaults(run=_explain)


def _add_recording(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "record",
        metavar="RECORD",
        help="a WFDB record or any of its files, a device's file, FILE.hdf5#EXAM of CODE-15 %%",
    )
    add_file_options(parser)


def _plot(args: argparse.Namespace) -> None:
    from ecglfm.app.explanation import run_plot

    lines = run_plot(
        args.record, files_reader(args), args.output, model=args.model, title=args.title, start=args.start,
        layout=args.layout, lead=args.lead,
    )  # fmt: skip
    print("\n".join([*lines, f"{args.output}: written"]))


def _explain(args: argparse.Namespace) -> None:
    from ecglfm.app.explanation import run_explain

    explanation = run_explain(
        args.record, files_reader(args), args.model, args.label, args.output, start=args.start, layout=args.layout,
        threads=args.threads,
    )  # fmt: skip
    print("\n".join([*explanation.lines(), f"{args.output}: written"]))
