"""Commands that turn recordings into vectors, and vectors into a map: `embed`, `umap`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_numbers, add_paths, add_recordings, recordings_of, say_left_out
from ecglfm.config import UserError
from ecglfm.config.wording import counted


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("embed", help="give each recording the vector that an encoder has for it")
    parser.add_argument(
        "--encoder",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of an encoder, or of a model: what its head reads",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    parser.add_argument("--prepared", type=Path, metavar="DIR", help="preprocess/SOURCE instead: the stage `embed`")
    parser.add_argument("--shards", type=int, metavar="N", help="of --prepared; default: all that are there")
    add_recordings(parser)
    add_numbers(parser)
    parser.set_defaults(run=_embed)

    chart = commands.add_parser("umap", help="draw a map of each encoder's vectors, by label, source, device and age")
    add_paths(chart, "results")
    chart.add_argument("--encoders", nargs="+", required=True, help="those of embed/ to show")
    chart.add_argument("--tasks", nargs="*", default=[], help="label sets to colour by, the first three")
    add_paths(chart, "output")
    chart.add_argument("--records", type=int, default=3000, help="at most so many of each encoder, drawn blindly")
    chart.add_argument("--seed", type=int, default=0)
    chart.set_defaults(run=_umap)


def _embed(args: argparse.Namespace) -> int:
    from ecglfm.app.embedding import run_embed, run_embed_prepared
    from ecglfm.evaluation.verification import sharing_risks

    if args.shards and not args.prepared:
        raise UserError("--shards goes with --prepared")
    if args.prepared:
        if args.recordings or args.source:
            raise UserError("--prepared stands for files, folders and --source: one of them")
        if args.precision != "fp32" or args.compile:
            raise UserError(
                "--prepared: linear probes and maps compare these vectors, which are all of fp32: leave --precision and"
                " --compile out"
            )
        count = run_embed_prepared(args.encoder, args.prepared, args.output, shards=args.shards, threads=args.threads)
        print("\n".join([f"{args.output}: {counted(count, 'recording')}", *sharing_risks(args.encoder)]))
        return 0
    recordings, reader = recordings_of(args)
    table = run_embed(
        args.encoder, recordings, reader, args.output, workers=args.workers, threads=args.threads,
        precision=args.precision, compiled=args.compile,
    )  # fmt: skip
    dim = sum(str(column).startswith("vector.") for column in table)
    print(f"{args.output}: {counted(len(table), 'recording')}, vectors of {dim} numbers")
    print("\n".join(sharing_risks(args.encoder)))
    return say_left_out(table.set_index("record")["reason"], "no vector")


def _umap(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.embedding_map import run_embedding_map

    run_embedding_map(args.results, args.encoders, args.tasks, args.output, records=args.records, seed=args.seed)
