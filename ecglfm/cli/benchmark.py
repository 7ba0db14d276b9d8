"""`ecglfm benchmark WHAT`: speed figures, each beside a yardstick measured in the same run; what statistics hold.

A benchmark is one module in a room of `ecglfm.benchmark`, named in its `BENCHMARKS`; its docstring is its help.
"""

from __future__ import annotations

import argparse

from ecglfm.benchmark import BENCHMARKS


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("benchmark", help="measure speed on this machine")
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for module in BENCHMARKS:
        text = (module.__doc__ or "").split(": ", 1)[1]
        benchmark = kinds.add_parser(module.__name__.rsplit(".", 1)[1], help=text, description=text)
        module.add_arguments(benchmark)
        benchmark.set_defaults(run=module.run)
