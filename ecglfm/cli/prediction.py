"""Commands for whoever has a model and recordings: `predict`."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 5  # recordings that are shown, and without an answer named


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("predict", help="say what a fine-tuned model thinks of recordings")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", type=Path, metavar="DIR", help="folder that finetune wrote")
    which.add_argument(
        "--ensemble", type=Path, nargs="+", metavar="DIR", help="several of one task, such as seeds: mean and spread"
    )
    parser.add_argument(
        "recordings", nargs="*", metavar="FILE_OR_FOLDER", help="WFDB records, MUSE XML, HDF5 of CODE-15 %%, or folders"
    )
    parser.add_argument("--source", type=Path, metavar="YAML", help="a database instead, as in config/sources/")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv, .parquet or .json")
    parser.add_argument(
        "--leads", nargs="+", default=[], metavar="THEIRS=OURS", help="names of leads in the files: C1=V1 C2=V2"
    )
    parser.add_argument("--file-leads", nargs="+", default=[], metavar="LEAD", help="leads in the order of the files")
    parser.add_argument("--links", choices=["inside", "follow"], default="inside", help="where symbolic links may lead")
    parser.add_argument("--workers", type=int, default=1, help="processes that read; the answers do not depend on it")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.set_defaults(run=_predict)


def _predict(args: argparse.Namespace) -> int:
    from ecglfm.app.prediction import FromFiles, FromSource, run_predict
    from ecglfm.config import SourceConfig, SourceSlice, UserError, load

    if bool(args.source) == bool(args.recordings):
        raise UserError("name files or folders, or a database with --source YAML; one of the two")
    reader: FromFiles | FromSource
    if args.source:
        reader = FromSource(SourceSlice(source=args.source.stem, config=load(SourceConfig, args.source)))
        recordings = reader.find()
    else:
        wrong = [pair for pair in args.leads if "=" not in pair]
        if wrong:
            raise UserError(f"--leads {wrong[0]}: write THEIRS=OURS, such as C1=V1")
        leads = dict(pair.split("=", 1) for pair in args.leads)
        reader = FromFiles(leads=leads, file_leads=args.file_leads, links=args.links)
        recordings = reader.find(args.recordings)
    folders = [args.model] if args.model else args.ensemble
    table = run_predict(folders, recordings, reader, args.output, workers=args.workers, threads=args.threads)
    if len(table) <= _SHOWN:
        _say_answers(table)
    print(f"{args.output}: {len(table)} recordings")
    return _say_abstained(table)


def _say_answers(table: pd.DataFrame) -> None:
    """Print what is said of each label of each recording."""
    beside = {"spread", "threshold", "decision"}
    answers = [name for name in map(str, table) if "." in name and name.partition(".")[0] not in beside]
    for _, row in table[~table["abstained"]].iterrows():
        said = []
        for what, _, label in (column.partition(".") for column in answers):
            decision = row.get(f"decision.{label}")
            said.append(
                f"{label} {row[f'{what}.{label}']:.2f}" + ("" if decision is None else " yes" if decision else " no")
            )
        print(f"{row['record']}: {', '.join(said)}")


def _say_abstained(table: pd.DataFrame) -> int:
    """Print which recordings got no answer; the exit status."""
    none = table[table["abstained"]]
    if none.empty:
        return 0
    counts = Counter(reason.partition(":")[0] for reason in none["reason"])
    said = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
    print(f"no answer for {len(none)} of {len(table)}: {said}")
    for record, reason in none[["record", "reason"]].head(_SHOWN).itertuples(index=False):
        print(f"  {record}: {reason}")
    if len(none) > _SHOWN:
        print("  … the others stand in the table, column `reason`")
    return 1
