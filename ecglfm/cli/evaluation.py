"""Commands of the group `evaluation`: `evaluate`, `evaluate-on`, `label-efficiency`, `verify`, `report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_config, add_paths, add_threads, add_tracking, tracking_of


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    evaluate = commands.add_parser("evaluate", help="measure a fine-tuned model on the locked test split")
    add_config(evaluate, "evaluate")
    evaluate.add_argument(
        "--model",
        nargs="+",
        type=Path,
        required=True,
        help="folder that finetune wrote; of a cross-validation one per fold",
    )
    add_paths(evaluate, "labels", "manifest", "signals", "output")
    evaluate.add_argument(
        "--index",
        nargs="*",
        type=Path,
        default=[],
        help="index/{source}.parquet of the task's sources, for the devices",
    )
    add_tracking(evaluate)
    add_threads(evaluate)
    evaluate.set_defaults(run=_evaluate)

    transport = commands.add_parser(
        "evaluate-on", help="measure a finished model on a new cohort, as it is and adapted"
    )
    add_config(transport, "transport")
    transport.add_argument("--task", required=True, help="name of the labels")
    add_paths(transport, "labels", "manifest", "signals", "output")
    add_tracking(transport)
    add_threads(transport)
    transport.set_defaults(run=_evaluate_on)

    verify = commands.add_parser("verify", help="measure how well an encoder tells people apart, on the test split")
    add_config(verify, "verify/{task}")
    verify.add_argument("--encoder", type=Path, required=True, help="folder that pretrain wrote")
    add_paths(verify, "manifest")
    verify.add_argument("--audit", type=Path, required=True, help="manifest/audit.json")
    add_paths(verify, "signals", "output")
    add_tracking(verify)
    add_threads(verify)
    verify.set_defaults(run=_verify)
    _add_pages(commands)


def _add_pages(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What sums up the results of other commands."""
    efficiency = commands.add_parser("label-efficiency", help="table and curves over the share of training patients")
    add_paths(efficiency, "results")
    efficiency.add_argument("--include", nargs="+", required=True, metavar="ENCODER/TASK/FIT", help="models to compare")
    add_paths(efficiency, "output")
    efficiency.set_defaults(run=_label_efficiency)

    report = commands.add_parser("report", help="write the HTML report of a results folder")
    add_paths(report, "results")
    report.add_argument("--output", type=Path, required=True, help="the HTML file")
    report.add_argument(
        "--include", nargs="*", metavar="ENCODER/TASK/FIT", help="models to show; default: all that have a folder"
    )
    report.add_argument(
        "--verified", nargs="*", metavar="ENCODER/TASK", help="verifications to show; default: all that have a folder"
    )
    add_tracking(report)
    report.set_defaults(run=_report)


def _evaluate(args: argparse.Namespace) -> None:
    from ecglfm.config import EvaluateSlice, load
    from ecglfm.evaluation.evaluate import run_evaluate

    run_evaluate(
        load(EvaluateSlice, args.config),
        model=args.model,
        labels=args.labels,
        manifest=args.manifest,
        signals=args.signals,
        output=args.output,
        index=args.index,
        tracking=tracking_of(args),
        rule=args.rule,
        threads=args.threads,
    )


def _evaluate_on(args: argparse.Namespace) -> None:
    from ecglfm.config import TransportSlice, load
    from ecglfm.evaluation.transport import run_transport

    run_transport(
        load(TransportSlice, args.config),
        task=args.task,
        labels=args.labels,
        manifest=args.manifest,
        signals=args.signals,
        output=args.output,
        tracking=tracking_of(args),
        rule=args.rule,
        threads=args.threads,
    )


def _label_efficiency(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.label_efficiency import run_label_efficiency

    run_label_efficiency(args.results, args.include, args.output)


def _verify(args: argparse.Namespace) -> None:
    from ecglfm.config import VerifySlice, load
    from ecglfm.evaluation.verification import run_verify

    run_verify(
        load(VerifySlice, args.config),
        encoder=args.encoder,
        manifest=args.manifest,
        audit=args.audit,
        signals=args.signals,
        output=args.output,
        tracking=tracking_of(args),
        rule=args.rule,
        threads=args.threads,
    )


def _report(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.report import run_report

    run_report(args.results, args.output, args.include, args.verified, tracking=tracking_of(args), rule=args.rule)
