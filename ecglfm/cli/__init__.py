"""The command line: one subcommand per stage, one small file per group of commands.

A group's `add_commands` declares arguments and nothing else; what a command needs is imported when it
runs, so that `--help` and the data stages never wait for torch.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ecglfm import __version__
from ecglfm.cli import (
    analyses,
    benchmark,
    comparison,
    config,
    data,
    deidentification,
    discover,
    doctor,
    download,
    embedding,
    evaluation,
    explanation,
    follow,
    labels,
    methods,
    models,
    page,
    prediction,
    serving,
    tracking,
    training,
)
from ecglfm.cli.arguments import Parser
from ecglfm.config import UserError
from ecglfm.config.text import legible
from ecglfm.metering import metered
from ecglfm.process import end_process, tune_process

GROUPS = (
    config,
    doctor,
    download,
    data,
    deidentification,
    labels,
    training,
    methods,
    models,
    evaluation,
    comparison,
    analyses,
    embedding,
    discover,
    prediction,
    serving,
    explanation,
    page,
    tracking,
    follow,
    benchmark,
)

#: What to do next, behind what the system says of a file.
HINTS = {
    FileExistsError: "this is a file where a folder belongs: choose another place",
    NotADirectoryError: "this is a file where a folder belongs: choose another place",
    PermissionError: "choose a place that you may read and write, or ask whose it is",
}


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of every command."""
    parser = Parser(prog="ecglfm", description="From raw 12-lead ECGs to an evaluated foundation model.")
    parser.add_argument("--version", action="version", version=f"ecglfm {__version__}")
    parser.add_argument(
        "--cost",
        type=Path,
        metavar="FILE",
        help="append what the command takes (time, memory, GPUs, energy) to this file",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add_commands(commands)
    return parser


def run() -> NoReturn:
    """Be the process of one command."""
    try:
        status = main()
    except SystemExit as ended:  # argparse; a rank whose others failed
        if not isinstance(ended.code, int):
            raise
        status = ended.code
    end_process(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 on success; 1 with one line on standard error per user's mistake or full disk; 2 for wrong
        arguments (argparse). Anything else is our own fault and keeps its traceback.
    """
    args = build_parser().parse_args(argv)
    tune_process()
    console = logging.StreamHandler()
    console.setFormatter(_Legible("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=os.environ.get("ECGLFM_LOG", "INFO"), handlers=[console])
    try:
        with metered(args.cost, args.command) as args.meter:
            args.meter.status = int(args.run(args) or 0)
        return args.meter.status
    except UserError as error:
        for line in str(error).splitlines():
            print(f"ecglfm {args.command}: error: {legible(line)}", file=sys.stderr)
        return 1
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _is_unread():
            return 1
        where = f"{error.filename}: " if error.filename else ""
        hint = next((f"; {what}" for kind, what in HINTS.items() if isinstance(error, kind)), "")
        print(f"ecglfm {args.command}: error: {where}{error.strerror or error}{hint}", file=sys.stderr)
        return 1


class _Legible(logging.Formatter):
    """Lines of a log; names in files that are not ours do nothing to the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(legible, super().format(record).split("\n")))


def _is_unread() -> bool:
    """Whether nobody reads standard output any more, as behind `| head`; what is left of it is then thrown away."""
    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)  # for errors alone
    if not any(event & select.POLLERR for _, event in asked.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
