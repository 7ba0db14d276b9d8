"""Commands about a project as a whole: `status`, `why` and `clean`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from ecglfm.cli.arguments import read_project


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("status", help="where every stage stands, what runs and how far, what failed and why")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="rules or files; none: what snakemake alone makes")
    _add_project(parser)
    _add_snakefile(parser)
    parser.add_argument("--watch", action="store_true", help="show it anew now and then, until Ctrl-C")
    parser.set_defaults(run=_status)

    parser = commands.add_parser("why", help="why something would run again")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET",
        help="rules, files or folders of results, such as results/finetune/ENCODER; none: all that snakemake makes",
    )  # fmt: skip
    _add_project(parser)
    _add_snakefile(parser)
    parser.set_defaults(run=_why)

    parser = commands.add_parser("clean", help="say what results could go and how much room that gives, and ask")
    parser.add_argument(
        "--keep", choices=["models", "encoders", "reports"],
        help="models: they, encoders, evaluations and reports stay; encoders: models go, too; reports: and encoders;"
        " without it all of the project goes",
    )  # fmt: skip
    parser.add_argument(
        "--excluded", action="store_true",
        help="instead of that, what is still of people whom `exclude_patients` leaves out, and was not asked for again;"
        " with --keep models or encoders these stay",
    )  # fmt: skip
    parser.add_argument("--folder", type=Path, default=Path("config"), help="folder of config.yaml (default: config)")
    _add_project(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=_clean)


def _add_project(parser: argparse.ArgumentParser) -> None:
    """Declare which project is meant."""
    parser.add_argument("--results", metavar="DIR", help="folder of results, instead of the config's")
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=[], metavar="FILE", help="recipes, as Snakemake's option"
    )
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as Snakemake's option")


def _add_snakefile(parser: argparse.ArgumentParser) -> None:
    """Declare Snakemake's own option, for who runs it elsewhere than in the clone."""
    parser.add_argument(
        "-s", "--snakefile", type=Path, metavar="FILE", default=Path("workflow/Snakefile"), help="as Snakemake's option"
    )


def _config(args: argparse.Namespace) -> list[str]:
    return [*args.config, *([f"results={args.results}"] if args.results else [])]


def _clean(args: argparse.Namespace) -> int:
    from ecglfm.app.cleaning import find_parts, remove_parts, show_parts, size_of
    from ecglfm.app.follow import parse_config
    from ecglfm.config import UserError

    project = read_project(args.folder / "config.yaml", args.configfile, parse_config(_config(args)))
    parts, left = find_parts(project, args.keep, excluded=args.excluded)
    results = Path(project.config.results)
    print(show_parts(parts, left))
    if not parts:
        print(f"{results}: nothing to remove")
        return 0
    if not args.yes:
        print(f"{results}: {size_of(parts)} would be free")
        if not sys.stdin.isatty():
            raise UserError("nothing was removed: there is no terminal to ask on; --yes says that it is meant")
        if input("Remove it? [y/N] ").strip().lower() not in ("y", "yes"):
            print("Nothing was removed.")
            return 1
        parts, _ = find_parts(project, args.keep, excluded=args.excluded)  # a run may have begun meanwhile
    remove_parts(parts)
    print(f"{results}: {size_of(parts)} are free now")
    return 0


WATCH_SECONDS = 10.0


def _status(args: argparse.Namespace) -> int:
    from ecglfm.app.cleaning import find_remains, show_remains
    from ecglfm.app.follow import make_plan, read_workings, show_status, standings

    while True:
        plan = make_plan(args.targets, configfiles=args.configfile, config=_config(args), snakefile=args.snakefile)
        known = read_workings(plan.results)
        more = show_remains(*find_remains(plan.results, plan.excluding))
        text = show_status(plan.results, standings(plan, known), known, more)
        if args.watch and sys.stdout.isatty():
            print("\033[H\033[2J", end="")
        print(text, flush=True)
        if not args.watch:
            return 0
        try:
            time.sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            return 0
        print()


def _why(args: argparse.Namespace) -> int:
    from ecglfm.app.follow import make_plan, show_causes

    print(
        show_causes(
            make_plan(args.targets, configfiles=args.configfile, config=_config(args), snakefile=args.snakefile)
        )
    )
    return 0
