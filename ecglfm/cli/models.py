"""Commands about saved encoders and models: `import-checkpoint`, `export`."""

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

    parser = commands.add_parser("export", help="write an encoder or model for another runtime: ONNX or TorchScript")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--encoder", type=Path, metavar="DIR", help="folder of an encoder: frames and embedding come out")
    what.add_argument("--model", type=Path, metavar="DIR", help="folder of a model: logits and probabilities come out")
    parser.add_argument("--format", choices=["onnx", "torchscript"], required=True)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--mask", action="store_true", help="add an input `mask` (batch, samples), true where a sample is no padding"
    )
    parser.set_defaults(run=_export)


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


def _export(args: argparse.Namespace) -> None:
    from ecglfm.models.bundle import load_encoder, load_model
    from ecglfm.models.export import Exportable, export

    module = load_encoder(args.encoder) if args.encoder else load_model(args.model)
    difference = export(module, args.output, form=args.format, mask=args.mask)
    whole = Exportable(module)
    inputs = f"signal (batch, {len(whole.encoder.leads)} leads, samples) in mV at {whole.encoder.sampling_rate} Hz"
    print(f"{args.output}: {inputs}{' and mask' if args.mask else ''} to {' and '.join(whole.outputs)}")
    print(f"largest difference from PyTorch: {difference:.1e}")
