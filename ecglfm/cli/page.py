"""Commands that open in a browser: `app`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_at, add_threads


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("app", help="try a fine-tuned model on a page of this machine")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that finetune wrote")
    parser.add_argument("--port", type=_port, default=8765, help="on 127.0.0.1; 0 for any that is free; default: 8765")
    add_at(parser)
    add_threads(parser)
    parser.set_defaults(run=_app)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**16:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to 65535")
    return int(text)


def _app(args: argparse.Namespace) -> None:
    from ecglfm.app.page import run_page

    run_page(args.model, port=args.port, threads=args.threads, at=args.at)
