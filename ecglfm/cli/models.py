"""Commands about saved encoders and models: `import-checkpoint`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser(
        "import-checkpoint", help="turn a fairseq checkpoint of ECG-LFM or ECG-FM into an encoder, or a model"
    )
    parser.add_argument("checkpoint", type=Path, metavar="CKPT.pt", help="pretrained or fine-tuned checkpoint")
    parser.add_argument("--output", type=Path, required=True, help="folder for encoder.* and, if fine-tuned, model.*")
    parser.add_argument("--labels", type=Path, help="label_def.csv; without it labels are label_0, label_1, …")
    parser.add_argument(
        "--standardize",
        action="store_true",
        help="ECG-FM: bring each lead of a segment to mean 0 and deviation 1 first, as its authors do per recording",
    )
    parser.set_defaults(run=_import_checkpoint)


def _import_checkpoint(args: argparse.Namespace) -> None:
    from ecglfm.models.importers import import_checkpoint

    imported = import_checkpoint(args.checkpoint, args.output, args.labels, standardize=args.standardize)
    count = sum(value.numel() for value in imported.encoder.values())
    print(f"{imported.origin}: {imported.model['layers']} layers of width {imported.model['dim']}, {count:,} numbers")
    if imported.dropped:
        print(f"left out, never used: {', '.join(imported.dropped)}")
    if imported.objective:
        print(f"left out, needed to pretrain only: {', '.join(imported.objective)}")
    if imported.unverified:
        print(f"unverified: {imported.unverified}")
    what = "encoder and model" if imported.head else "encoder"
    print(f"{args.output}: {what}; encoder.yaml in it is for config/encoders/")
