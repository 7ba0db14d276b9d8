"""Commands about saved encoders and models: `import-checkpoint`, `export`, `verify-bundle`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecglfm.config.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecglfm.app.handover import Difference


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser(
        "import-checkpoint", help="turn a released checkpoint of another method into an encoder, or a model"
    )
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="CKPT.pt",
        help="pretrained or fine-tuned checkpoint, or a folder with model.safetensors and config.json",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for encoder.* and, if fine-tuned, model.*")
    parser.add_argument(
        "--labels",
        type=Path,
        help="label_def.csv, or a .txt with a name a line; without it labels are label_0, label_1, …",
    )
    parser.add_argument(
        "--heads", type=int, metavar="N", help="ECG-JEPA: attention heads, which the file does not say; default: 16"
    )
    parser.set_defaults(run=_import_checkpoint)

    parser = commands.add_parser("export", help="write an encoder or model for another runtime, or for other people")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--encoder", type=Path, metavar="DIR", help="folder of an encoder: frames and embedding come out")
    what.add_argument("--model", type=Path, metavar="DIR", help="folder of a model: logits and probabilities come out")
    parser.add_argument("--format", choices=["onnx", "torchscript", "huggingface"])
    parser.add_argument("--output", type=Path, metavar="FILE", help="where --format goes; of huggingface a folder")
    parser.add_argument(
        "--mask", action="store_true", help="add an input `mask` (batch, samples), true where a sample is no padding"
    )
    bundle = parser.add_argument_group("a bundle, which needs onnxruntime and NumPy alone")
    bundle.add_argument("--bundle", type=Path, metavar="FILE.zip", help="graphs from raw samples on, card, test vector")
    bundle.add_argument("--rate", type=float, metavar="HZ", help="of the recordings; default: that of prepared signals")
    bundle.add_argument(
        "--card", type=Path, metavar="FILE", help="default: card.html of the evaluation, or beside the model"
    )
    bundle.add_argument("--licence", type=Path, metavar="FILE", help="what may be done with the model")
    parser.set_defaults(run=_export)

    parser = commands.add_parser(
        "verify-bundle", help="check a bundle of export: whole, and the numbers as it was made"
    )
    parser.add_argument("bundle", type=Path, metavar="FILE.zip")
    parser.set_defaults(run=_verify_bundle)


def _import_checkpoint(args: argparse.Namespace) -> None:
    from ecglfm.models.importers import import_checkpoint

    imported = import_checkpoint(args.checkpoint, args.output, args.labels, heads=args.heads)
    count = sum(value.numel() for value in imported.encoder.values())
    model = imported.model
    size = f"{model['layers']} layers" if "layers" in model else f"{len(model['blocks'])} stages"
    print(f"{imported.origin}: {size} of width {model['dim']}, {count:,} numbers")
    if imported.dropped:
        some, more = imported.dropped[:6], len(imported.dropped) - 6
        print(f"left out, never used: {', '.join(some)}{f' and {more} more' if more > 0 else ''}")
    if imported.objective:
        print(f"left out, needed to pretrain only: {', '.join(imported.objective)}")
    if imported.licence:
        print(f"licence: {imported.licence}")
    if imported.unverified:
        print(f"unverified: {imported.unverified}")
    what = "encoder and model" if imported.head else "encoder"
    print(f"{args.output}: {what}; encoder.yaml in it is for config/encoders/")


def _export(args: argparse.Namespace) -> None:
    from ecglfm.config import UserError

    if (args.bundle is None) == (args.format is None):
        raise UserError("say --format with --output FILE, or --bundle FILE.zip; one of the two")
    if args.bundle is not None:
        _export_bundle(args)
        return
    if args.output is None:
        raise UserError(f"--format {args.format} needs --output FILE")
    for option in ("rate", "card", "licence"):
        if getattr(args, option) is not None:
            raise UserError(f"--{option} belongs to --bundle; one graph takes what is preprocessed already")
    if args.format == "huggingface":
        _export_huggingface(args)
        return
    from ecglfm.models.bundle import load_encoder, load_model
    from ecglfm.models.export import Exportable, export

    module = load_encoder(args.encoder) if args.encoder else load_model(args.model)
    difference = export(module, args.output, form=args.format, mask=args.mask)
    whole = Exportable(module)
    encoder = whole.encoder
    unit = "in mV" if encoder.input is None else f"as its `input` makes it ({encoder.input.unit})"
    inputs = f"signal (batch, {len(encoder.leads)} leads, samples) {unit} at {encoder.sampling_rate} Hz"
    print(f"{args.output}: {inputs}{' and mask' if args.mask else ''} to {' and '.join(whole.outputs)}")
    print(f"largest difference from PyTorch: {difference:.1e}")
    _say_licences(module.info if args.encoder else module.info.get("encoder", {}))


def _say_licences(encoder: Mapping[str, Any]) -> None:
    """What may be done with foreign weights that are handed on, a line each."""
    from ecglfm.models.lineage import licences

    for one in licences(encoder):
        print(f"licence of the encoder's weights, by their makers: {one}")


def _export_huggingface(args: argparse.Namespace) -> None:
    from ecglfm.config import UserError
    from ecglfm.models.bundle import load_encoder
    from ecglfm.models.huggingface import export_huggingface

    if args.encoder is None or args.mask:
        raise UserError("--format huggingface goes with --encoder DIR; not with --model, and a mask is always taken")
    encoder = load_encoder(args.encoder)
    difference = export_huggingface(encoder, args.output)
    print(
        f'{args.output}: AutoModel.from_pretrained("{args.output}", trust_remote_code=True), where ecglfm is installed'
    )
    print(f"largest difference from PyTorch: {difference:.1e}")
    _say_licences(encoder.info)


def _export_bundle(args: argparse.Namespace) -> None:
    from ecglfm.app.handover import write_bundle
    from ecglfm.config import UserError

    if args.model is None or args.mask or args.output is not None:
        raise UserError("--bundle FILE.zip goes with --model DIR; not with --encoder, --mask or --output")
    made = write_bundle(args.model, args.bundle, rate=args.rate, card=args.card, licence=args.licence)
    print(f"{args.bundle}: 12 leads in mV at {made.rate:g} Hz to {made.output}; {', '.join(made.files)}")
    for lacking, option in made.lacking.items():
        print(f"without {lacking}: {option} brings one")
    _say_difference(made.difference, made.unit)


def _verify_bundle(args: argparse.Namespace) -> None:
    from ecglfm.app.handover import verify_bundle

    found = verify_bundle(args.bundle)
    print(f"{args.bundle}: whole, {counted(len(found.files), 'file')}: {', '.join(found.files)}")
    print(f"labels: {', '.join(found.about.model.label_names)}")
    _say_difference(found.difference, found.about.tolerance.unit)


def _say_difference(difference: Difference, unit: str) -> None:
    print(
        f"largest difference from the Python pipeline on the test vector: windows {difference.windows:.1e} {unit}, "
        f"outputs {difference.outputs:.1e}"
    )
