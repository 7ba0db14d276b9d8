"""Commands for whoever has a model and recordings: `predict`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ecglfm.cli.arguments import add_at, add_numbers, add_recordings, files_reader, recordings_of, say_left_out
from ecglfm.config.text import legible
from ecglfm.config.wording import counted

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 5  # recordings whose answers are shown


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("predict", help="say what a fine-tuned model thinks of recordings")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", type=Path, metavar="DIR", help="folder that finetune wrote")
    which.add_argument(
        "--ensemble", type=Path, nargs="+", metavar="DIR", help="several of one task, such as seeds: mean and spread"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv, .parquet or .json")
    add_recordings(parser)
    add_numbers(parser)
    add_at(parser)
    parser.add_argument(
        "--previous", type=Path, nargs="*", metavar="FILE_OR_FOLDER",
        help="what has changed since the last recording of the same person before each: that recording, or where to "
        "look for it by patient and date; without a path among the recordings themselves",
    )  # fmt: skip
    parser.set_defaults(run=_predict)


def _predict(args: argparse.Namespace) -> int:
    from ecglfm.app.prediction import Earlier, run_predict

    recordings, reader = recordings_of(args)
    folders = [args.model] if args.model else args.ensemble
    previous = None
    if args.previous is not None:
        earlier = files_reader(args)
        previous = Earlier(earlier.find(args.previous), earlier) if args.previous else Earlier(recordings, reader)
    table = run_predict(
        folders, recordings, reader, args.output, previous=previous, workers=args.workers, threads=args.threads,
        precision=args.precision, compiled=args.compile, at=args.at,
    )  # fmt: skip
    if len(table) <= _SHOWN:
        _say_answers(table)
    print(f"{args.output}: {counted(len(table), 'recording')}")
    return max(_say_abstained(table), _say_unpaired(table))


def _answers(table: pd.DataFrame) -> list[str]:
    """Columns of what is said of each label."""
    beside = {"spread", "threshold", "decision", "set", "previous", "change"}
    said = [name for name in map(str, table) if "." in name and name.partition(".")[0] not in beside]
    return [name for name in said if not name.startswith("within_")]


def _unusable(table: pd.DataFrame) -> pd.Series:
    """Recordings of which nothing is said; of others that abstain outputs are there, and no decision."""
    return table["abstained"] & table[_answers(table)].isna().all(axis=1)


def _say_answers(table: pd.DataFrame) -> None:
    """Print what is said of each label of each recording."""
    from ecglfm.app.prediction import percents

    for _, row in table[~_unusable(table)].iterrows():
        said = []
        for what, _, label in (column.partition(".") for column in _answers(table)):
            decision = None if row["abstained"] else row.get(f"decision.{label}")
            answer = "" if decision is None else " yes" if decision else " no"
            change = row.get(f"change.{label}", float("nan"))
            since = "" if change != change else f" ({change:+.2f})"
            unit = "" if what != "risk" else f" ({', '.join(['log hazard ratio', *percents(dict(row), label)])})"
            said.append(f"{label} {row[f'{what}.{label}']:.2f}{unit}{answer}{since}")
        doubt = f" (not decided: {row['reason']})" if row["abstained"] else ""
        print(f"{legible(row['record'])}: {', '.join(said)}{doubt}")
        if row.get("previous"):
            days = row["previous_days"]
            print(f"  changed since {legible(row['previous'])}" + ("" if days != days else f", {days:.1f} days before"))


def _say_unpaired(table: pd.DataFrame) -> int:
    """Print how many have nothing to be compared with, and why; exit status 1 where a file is of somebody else."""
    if "previous_reason" not in table:
        return 0
    why = table["previous_reason"]
    for record, reason in zip(table["record"], why, strict=True) if len(table) <= _SHOWN else ():
        if reason:
            print(f"{legible(record)}: no change is told: {reason}")
    if len(table) > _SHOWN and (why != "").any():
        print(f"no change is told of {(why != '').sum()} of {len(table)}; the table has the `previous_reason`")
    return int(why.str.startswith("another patient").any())


def _say_abstained(table: pd.DataFrame) -> int:
    """Print which recordings got no answer, and how many no decision; the exit status."""
    unusable = _unusable(table)
    undecided = int((table["abstained"] & ~unusable).sum())
    if undecided:
        print(f"not decided: {undecided} of {len(table)}, unlike those of the training; the table has the `reason`")
    return say_left_out(table["reason"].where(unusable, "").set_axis(table["record"]), "no answer")
