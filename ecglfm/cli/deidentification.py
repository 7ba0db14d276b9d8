"""`ecglfm deidentify`: make a folder that may be given away."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.config import UserError, load
from ecglfm.config.wording import counted

_SHOWN = 5  # files that were not let through


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    text = "Copy recordings and tables without names, ids, dates and free text; see docs/deidentify.md."
    parser = commands.add_parser("deidentify", help=text, description=text)
    parser.add_argument(
        "input", type=Path, metavar="IN", help="folder of WFDB records, MUSE or CardioSoft XML, and CSV"
    )
    parser.add_argument("output", type=Path, metavar="OUT", help="folder to write into; nothing in it is replaced")
    parser.add_argument(
        "--secret",
        type=Path,
        required=True,
        metavar="FILE",
        help="key of pseudonyms and shifts; made where it is not there",
    )
    parser.add_argument("--rules", type=Path, metavar="YAML", help="what may stay, above all of the columns of tables")
    parser.add_argument(
        "--look-for", type=Path, metavar="FILE", help="names, ids and dates, one a line, that must be left nowhere"
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes; the output does not depend on it"
    )
    parser.set_defaults(run=_deidentify)


def _deidentify(args: argparse.Namespace) -> int:
    from ecglfm.app.deidentification import open_secret, run_deidentify
    from ecglfm.config.deidentification import DeidentificationRules

    rules = load(DeidentificationRules, args.rules) if args.rules else DeidentificationRules()
    for folder in (args.input, args.output):
        if args.secret.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"--secret {args.secret}: lies in {folder}; keep it elsewhere")
    look_for = []
    if args.look_for:
        lines = args.look_for.read_text(encoding="utf-8-sig").splitlines()
        look_for = [line.strip() for line in lines if line.strip()]
    secret, made = open_secret(args.secret)
    if made:
        print(f"{args.secret}: a new secret; keep it, and give it to nobody")
    outcome = run_deidentify(
        args.input, args.output, secret=secret, rules=rules, look_for=look_for, workers=args.workers
    )
    removed = ", ".join(f"{kind} {count}" for kind, count in sorted(outcome.removed.items()))
    files, told = counted(outcome.files, "file"), f"{args.output}.report.csv"
    print(f"{args.output}: {files}; removed: {removed or 'nothing'}; by file in {told}")
    if outcome.short:
        short = counted(outcome.short, "value is", "values are")
        print(
            f"{short} too short to be searched for: names of 2 letters, numbers of 5 digits;"
            " --look-for searches for those that it lists"
        )
    order = rules.muse_dates.replace("_", "-")
    for kind, what in (("unclear date", "could be in either order, and are read"), ("unread date", "are none read")):
        if outcome.removed[kind]:
            print(f"{outcome.removed[kind]} dates in MUSE files {what} {order}: the rule `muse_dates` says which")
    for path, reason in outcome.refused[:_SHOWN]:
        print(f"not let through: {path}: {reason}")
    if outcome.refused:
        refused = counted(len(outcome.refused), "file was", "files were")
        print(f"{refused} not let through; {args.output}.refused.csv has all, for you alone")
    return 1 if outcome.refused else 0
