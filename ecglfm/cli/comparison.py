"""Commands of the group `comparison`: `compare`, `compare-page`, `card`, `leaderboard`, `encoder-size`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_config, add_paths, add_threads
from ecglfm.cli.warned import warnings_of


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    compare = commands.add_parser("compare", help="compare the encoders of one task on the locked test split")
    add_config(compare, "evaluate")
    add_paths(compare, "results")
    compare.add_argument("--task", required=True, help="name of the task")
    compare.add_argument("--models", nargs="+", required=True, metavar="ENCODER/FIT", help="evaluated models")
    compare.add_argument(
        "--card", type=Path, metavar="FILE", help="slice of the config: config/card.yaml, for encoders made elsewhere"
    )
    compare.add_argument("--output", type=Path, required=True, help="JSON; a table is written beside it, as .csv")
    compare.set_defaults(run=_compare)

    page = commands.add_parser("compare-page", help="write the page of every encoder on every task")
    add_paths(page, "results")
    page.add_argument("--models", nargs="+", required=True, metavar="ENCODER/TASK/FIT", help="evaluated models")
    page.add_argument("--verified", nargs="*", default=[], metavar="ENCODER/TASK", help="verifications")
    page.add_argument(
        "--baselines", nargs="*", default=[], metavar="ENCODER", help="encoders with random or no weights"
    )
    page.add_argument("--output", type=Path, required=True, help="the HTML file")
    page.set_defaults(run=_compare_page)

    card = commands.add_parser("card", help="write the card of an evaluated model, one HTML page")
    add_config(card, "card")
    add_paths(card, "results")
    card.add_argument("--model", required=True, metavar="ENCODER/TASK/FIT", help="the model")
    card.add_argument(
        "--baselines", nargs="*", default=[], metavar="ENCODER/TASK/FIT", help="of encoders with random or no weights"
    )
    card.add_argument("--output", type=Path, required=True, help="the HTML file")
    card.add_argument("--copy", type=Path, metavar="FILE", help="the same page once more, in the folder of the model")
    add_threads(card)
    card.set_defaults(run=_card)
    _add_leaderboard(commands)


def _add_leaderboard(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    board = commands.add_parser("leaderboard", help="set encoders, tasks and modes on one page, with what each cost")
    add_config(board, "leaderboard")
    add_config(board, "evaluate", "--evaluation")
    add_paths(board, "results")
    board.add_argument("--include", nargs="+", required=True, metavar="ENCODER/TASK/FIT", help="evaluated models")
    board.set_defaults(run=_leaderboard)

    size = commands.add_parser("encoder-size", help="count an encoder's parameters and products, and time it here")
    size.add_argument("--encoder", type=Path, required=True, metavar="DIR", help="folder of an encoder")
    size.add_argument("--output", type=Path, required=True, metavar="FILE", help="JSON to write")
    add_threads(size)
    size.set_defaults(run=_encoder_size)


def _compare(args: argparse.Namespace) -> None:
    from ecglfm.config import CardSlice, EvaluateSlice, load
    from ecglfm.evaluation.comparison import run_compare

    config, evaluations = load(EvaluateSlice, args.config).evaluate, args.results / "evaluate"
    said = load(CardSlice, args.card) if args.card else None
    with warnings_of("ecglfm.evaluation") as warned:
        run_compare(config, evaluations=evaluations, task=args.task, models=args.models, output=args.output, said=said)
    for text in warned:
        print(f"{args.output}: warning: {text}")


def _compare_page(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.report import parse_model, run_comparison_page

    fits = [parse_model(text, "--models") for text in args.models]
    run_comparison_page(args.results, fits, args.output, baselines=args.baselines, verified=args.verified)


def _card(args: argparse.Namespace) -> None:
    from ecglfm.config import CardSlice, load
    from ecglfm.evaluation.report import parse_model, run_card

    baselines = [parse_model(text, "--baselines") for text in args.baselines]
    run_card(
        args.results, parse_model(args.model, "--model"), args.output, baselines=baselines,
        config=load(CardSlice, args.config), threads=args.threads, copy=args.copy,
    )  # fmt: skip


def _leaderboard(args: argparse.Namespace) -> None:
    from ecglfm.config import EvaluateSlice, LeaderboardSlice, load
    from ecglfm.evaluation.leaderboard import run_leaderboard
    from ecglfm.evaluation.report import parse_model, run_analysis_page

    for text in args.include:
        parse_model(text, "--include")
    run_leaderboard(
        load(LeaderboardSlice, args.config), load(EvaluateSlice, args.evaluation).evaluate,
        results=args.results, models=args.include,
    )  # fmt: skip
    run_analysis_page("leaderboard", args.results, args.results / "leaderboard/index.html")


def _encoder_size(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.leaderboard import run_encoder_size

    found = run_encoder_size(args.encoder, args.output, threads=args.threads)
    print(
        f"{args.output}: {found['parameters']:,} parameters, {found['gmac']:.3g} GMAC and"
        f" {found['records_per_second']:g} recordings of 10 s a second on {found['device']}"
    )
