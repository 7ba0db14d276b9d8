"""Commands of the group `analyses`: `lead-sets`, `lead-sets-page`, `confounders`, `confounders-page`, `serial`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_config, add_paths, add_threads


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    sets = commands.add_parser("lead-sets", help="measure a fine-tuned model that is told fewer leads")
    add_config(sets, "lead_sets")
    add_config(sets, "evaluate", "--evaluation")
    sets.add_argument(
        "--model",
        nargs="+",
        type=Path,
        required=True,
        help="folder that finetune wrote; of a cross-validation one per fold",
    )
    sets.add_argument("--predictions", type=Path, required=True, help="predictions.parquet that evaluate wrote of it")
    add_paths(sets, "labels", "manifest", "signals", "output")
    add_threads(sets)
    sets.set_defaults(run=_lead_sets)

    gather = commands.add_parser("lead-sets-page", help="set all models at fewer leads side by side, on one page")
    add_paths(gather, "results")
    gather.add_argument("--include", nargs="+", required=True, metavar="ENCODER/TASK/FIT", help="models to show")
    gather.set_defaults(run=_lead_sets_page)
    _add_confounders(commands)

    serial = commands.add_parser("serial", help="measure how far several recordings of the same people agree")
    add_config(serial, "serial")
    add_paths(serial, "results")
    serial.add_argument("--include", nargs="+", required=True, metavar="ENCODER/TASK/FIT", help="models to measure")
    serial.add_argument("--encoders", nargs="+", required=True, metavar="ENCODER", help="encoders to measure")
    serial.set_defaults(run=_serial)


def _add_confounders(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ask = commands.add_parser(
        "confounders", help="what an encoder's vectors, or a model, know of device, site and year, and what is left"
    )
    add_config(ask, "confounders")
    add_config(ask, "evaluate", "--evaluation")
    of = ask.add_mutually_exclusive_group(required=True)
    of.add_argument("--vectors", nargs="+", type=Path, help="embed/{encoder}/{source}.parquet of an encoder")
    of.add_argument("--evaluated", type=Path, help="folder that evaluate wrote of a model; needs --labels")
    ask.add_argument("--labels", type=Path, help="labels/{task}.parquet of the model's task")
    add_paths(ask, "manifest", "index")
    ask.add_argument(
        "--ingested", type=Path, required=True, help="folder ingest/, whose tables say the rates as recorded"
    )
    ask.add_argument("--output", type=Path, required=True, help="JSON to write")
    ask.set_defaults(run=_confounders)

    page = commands.add_parser("confounders-page", help="set all encoders and models side by side, on one page")
    add_paths(page, "results")
    page.add_argument("--encoders", nargs="+", required=True, metavar="ENCODER", help="encoders to show")
    page.add_argument("--include", nargs="*", default=[], metavar="ENCODER/TASK/FIT", help="models to show")
    page.set_defaults(run=_confounders_page)


def _lead_sets(args: argparse.Namespace) -> None:
    from ecglfm.config import EvaluateSlice, LeadSetsConfig, load
    from ecglfm.evaluation.lead_sets import run_lead_sets

    run_lead_sets(
        load(LeadSetsConfig, args.config),
        load(EvaluateSlice, args.evaluation),
        model=args.model,
        predictions=args.predictions,
        labels=args.labels,
        manifest=args.manifest,
        signals=args.signals,
        output=args.output,
        threads=args.threads,
    )


def _lead_sets_page(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.lead_sets import gather_lead_sets
    from ecglfm.evaluation.report import run_analysis_page

    folder = args.results / "lead_sets"
    gather_lead_sets(folder, args.include)
    run_analysis_page("lead_sets", args.results, folder / "index.html")


def _confounders(args: argparse.Namespace) -> None:
    from ecglfm.config import ConfoundersConfig, EvaluateSlice, UserError, load
    from ecglfm.evaluation.confounders import run_confounders, run_probe_encoder

    config, evaluation = load(ConfoundersConfig, args.config), load(EvaluateSlice, args.evaluation).evaluate
    shared = {key: getattr(args, key) for key in ("manifest", "index", "ingested", "output")}
    if args.vectors:
        run_probe_encoder(config, evaluation, vectors=args.vectors, **shared)
    elif args.labels is None:
        raise UserError("--evaluated needs --labels: labels/{task}.parquet of the model's task")
    else:
        run_confounders(config, evaluation, evaluated=args.evaluated, labels=args.labels, **shared)


def _confounders_page(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.confounders import gather_confounders
    from ecglfm.evaluation.report import run_analysis_page

    folder = args.results / "confounders"
    gather_confounders(folder, args.encoders, args.include)
    run_analysis_page("confounders", args.results, folder / "index.html")


def _serial(args: argparse.Namespace) -> None:
    from ecglfm.config import SerialSlice, load
    from ecglfm.evaluation.report import run_analysis_page
    from ecglfm.evaluation.serial import run_serial

    folder = args.results / "serial"
    config = load(SerialSlice, args.config)
    run_serial(config, args.results, include=args.include, encoders=args.encoders, output=folder)
    run_analysis_page("serial", args.results, folder / "index.html")
