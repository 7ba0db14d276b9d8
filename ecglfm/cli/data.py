"""Commands of the data stages: synthesize, index, ingest, preprocess, manifest, verify-data, labels, summary."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ecglfm.cli.arguments import add_tracking, tracking_of
from ecglfm.cli.warned import warnings_of
from ecglfm.config import ManifestSlice, PreprocessConfig, QualityConfig, SourceSlice, TaskSlice, UserError, load
from ecglfm.config.wording import counted


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = _command(commands, "synthesize", "Write a synthetic database, files and tables.", _synthesize)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="root of the database")
    _add_workers(parser)

    parser = _command(commands, "index", "List the records of a database.", _index)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="index/{source}.parquet")

    parser = _command(commands, "ingest", "Read one shard of a database's recordings.", _ingest)
    parser.add_argument("--index", type=Path, required=True, metavar="FILE", help="index/{source}.parquet")
    parser.add_argument("--shard", type=int, required=True, metavar="K", help="which part, from 0")
    parser.add_argument("--shards", type=int, required=True, metavar="N", help="of how many")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="ingest/{source}/{shard}.npy")
    _add_workers(parser)

    parser = _command(commands, "preprocess", "Make one shard ready for models.", _preprocess)
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help="ingest/{source}/{shard}.npy")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="preprocess/{source}/{shard}.npy")
    _add_workers(parser)

    parser = _command(commands, "manifest", "Split the records by patient, and audit the splits.", _manifest)
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="has index/ ingest/ preprocess/")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="<results>/manifest")
    add_tracking(parser)
    _add_workers(parser)

    parser = commands.add_parser("verify-data", help="compare every sample of a results folder with its SHA-256")
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="has ingest/ preprocess/ manifest/")
    _add_workers(parser)
    parser.set_defaults(run=_verify_data)

    parser = _command(commands, "labels", "Find which records carry which label of a task.", _labels)
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest/records.parquet")
    parser.add_argument("--index", type=Path, required=True, nargs="+", metavar="FILE", help="index/{source}.parquet")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="labels/{task}.parquet")
    add_tracking(parser)

    parser = commands.add_parser("summary", help="write the HTML page of what is in the data, and what is not, and why")
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="has manifest/ and labels/")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="manifest/summary.html")
    parser.add_argument("--tasks", nargs="*", metavar="TASK", help="label sets to show; default: all that are there")
    parser.set_defaults(run=_summary)


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, run: Any
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="this stage's slice of the config")
    parser.set_defaults(run=run)
    return parser


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes (the output is the same)")


def _synthesize(args: argparse.Namespace) -> None:
    from ecglfm.sources.synthesis import run_synthesize

    run_synthesize(load(SourceSlice, args.config), args.output, args.workers)


def _index(args: argparse.Namespace) -> None:
    from ecglfm.sources import open_source
    from ecglfm.sources.base import write_index
    from ecglfm.sources.patients import note_excluded

    with warnings_of("ecglfm.sources") as warned:  # filled as they come; the summary shows them
        config = load(SourceSlice, args.config)
        source = open_source(config)
        records, patients, unknown = write_index(args.output, source.recordings(), warned, config)
    note_excluded(args.output, source.excluded)
    for text in warned:
        print(f"{args.output}: warning: {text}")
    whose = "patients unknown" if unknown == records else counted(patients - unknown, "patient")
    rest = f", {counted(unknown, 'record')} of unknown patients" if 0 < unknown < records else ""
    print(f"{args.output}: {counted(records, 'record')}, {whose}{rest}")


def _ingest(args: argparse.Namespace) -> None:
    from ecglfm.data.ingest import run_ingest

    run_ingest(load(SourceSlice, args.config), args.index, args.shard, args.shards, args.output, args.workers)


def _preprocess(args: argparse.Namespace) -> None:
    from ecglfm.data.signals import run_preprocess

    run_preprocess(load(PreprocessConfig, args.config), args.input, args.output, args.workers)


def _by_place(counts: dict[str, dict[str, int]]) -> str:
    """`train 40 of 7 patients, test 12 of 1 patient`."""
    return ", ".join(f"{place} {n['records']} of {counted(n['patients'], 'patient')}" for place, n in counts.items())


def _manifest(args: argparse.Namespace) -> int:
    from ecglfm.config.databases import overlaps
    from ecglfm.data.manifest import amplitude_warnings, dropped_because, held_databases, run_manifest
    from ecglfm.data.tracked import track_manifest
    from ecglfm.provenance import write_json
    from ecglfm.records import SPLITS

    config = load(ManifestSlice, args.config)
    for one in overlaps(held_databases(config, args.results)):  # before any signal is compared
        print(f"{args.output}: suspected overlap: {one['a']} and {one['b']}: {one['why']}", flush=True)
    audit = run_manifest(config, args.results, args.output, args.workers)
    for source, splits in audit["counts"].items():
        print(f"{source}: records {_by_place(splits)}")
    for source, folds in audit.get("folds", {}).items():
        print(f"{source}: folds {_by_place(folds)}")
    for source, number in audit["patients_unknown"].items():
        unknown = f"patients unknown for {counted(number, 'record')}"
        print(f"{args.output}: warning: {source}: {unknown}: leakage cannot be excluded")
    for source, texts in amplitude_warnings(audit["amplitude"]).items():
        for text in texts:
            print(f"{args.output}: warning: {source}: {text}")
    kept = sum(count["records"] for splits in audit["counts"].values() for count in splits.values())
    see = f"; see {args.output}/summary.html" if audit["passed"] else ""  # the next rule's, and none follows
    print(f"{args.output}: {dropped_because(args.output / 'ledger.parquet', kept)}{see}")
    if audit["by_chance"]:
        few = ", ".join(f"{source} ({counted(number, 'patient')})" for source, number in audit["by_chance"].items())
        print(
            f"{args.output}: few patients: {few}; `manifest.stratify: [TASK]` gives each split its share of every label"
        )
    for one in audit["dominant"]:
        print(
            f"{args.output}: warning: {one['source']}: {one['records']} of the {one['of']} records of the split "
            f"{one['split']} are of one patient, {one['patient']}, and what is learnt or measured there is mostly of "
            "that one; `manifest.query` can keep fewer"
        )
    keys = "`valid_fraction`, `test_fraction`, `fractions`, `folds`, `stratify` and `seed` under `manifest` decide it"
    for split in audit["unfilled"] if kept else ():
        print(f"{args.output}: warning: no record is in the split {split}; {keys}")
    if args.tracking:
        track_manifest(config, audit, args.results, args.output, tracking=tracking_of(args), rule=args.rule)
    evidence = args.output / "audit-failed.json"  # not a declared output: Snakemake removes those of a failed job
    if audit["passed"]:
        evidence.unlink(missing_ok=True)
        return 0
    write_json(evidence, audit)
    crossing = [f"{pair['a']} and {pair['b']}" for pair in audit["duplicate_pairs"] if pair["crosses"]]
    hint = "; manifest.duplicates: move brings duplicates into one split" if crossing else ""
    places = "splits"
    if "folds" in audit:
        hint, places = hint and f"{hint}, and out of the splits where a patient is cross-validated", "splits or folds"
    found = {
        ("patient", f"in two {places}"): audit["patient_overlap"],
        ("pair", f"of duplicate recordings across {places}"): crossing,
        ("record", "in the manifest twice"): audit["repeated_records"],
    }
    faults = [f"{counted(len(cases), one)} {what}, e.g. {cases[0]}" for (one, what), cases in found.items() if cases]
    if len(audit["empty"]) == len(SPLITS):
        outside = sum(splits["none"]["records"] for splits in audit["counts"].values())
        faults.append(_nothing_kept(outside, dropped_because(args.output / "ledger.parquet")))
    raise UserError(f"the audit failed: {'; '.join(faults)}; all cases are in {evidence}{hint}")


def _nothing_kept(outside: int, dropped: str) -> str:
    """Why no record is in a split, and which limits of the config dropped them."""
    outside_of = f"{outside} are in none of the lists of `manifest.folds`, " if outside else ""
    limits = [f"`preprocess.quality.{name}`" for name in QualityConfig.model_fields if f" {name} " in dropped]
    mend = f" ({', '.join(limits)} in the config: limit and action)" if limits else ""
    return f"no record is in a split: {outside_of}{dropped}{mend}"


def _verify_data(args: argparse.Namespace) -> None:
    from ecglfm.data.samples import verify_data

    for line in verify_data(args.results, args.workers):
        print(line)


def _labels(args: argparse.Namespace) -> None:
    from ecglfm.data.labels import run_labels
    from ecglfm.data.tracked import track_labels

    config = load(TaskSlice, args.config)
    with warnings_of("ecglfm.data.labels") as warned:
        run_labels(config, args.manifest, args.index, args.output)
    for text in warned:
        print(f"{args.output}: warning: {text}")
    if args.tracking:
        track_labels(config, args.output, tracking=tracking_of(args), rule=args.rule)


def _summary(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.report import run_summary

    run_summary(args.results, args.output, args.tasks)
