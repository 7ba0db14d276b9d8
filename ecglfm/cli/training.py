"""Commands that train: `pretrain` and `finetune`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_paths, add_tracking, tracking_of
from ecglfm.extras import need


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("pretrain", help="pretrain an encoder on unlabelled recordings")
    parser.add_argument("--config", type=Path, required=True, help="slice of one encoder, config/pretrain/E.yaml")
    _add_data(parser)
    parser.add_argument("--output", type=Path, required=True, help="folder of the encoder; checkpoints/ in it resumes")
    parser.add_argument("--index", type=Path, help="folder of reports; default: index/ beside the manifest's folder")
    _add_execution(parser)
    parser.set_defaults(run=_pretrain)

    parser = commands.add_parser("finetune", help="fine-tune an encoder to one label set")
    parser.add_argument("--config", type=Path, required=True, help="slice of the encoder, config/finetune/E.yaml")
    parser.add_argument("--fit", required=True, help="mode and seed, e.g. full-s0")
    parser.add_argument("--encoder", type=Path, required=True, help="folder that `pretrain` wrote")
    parser.add_argument("--task", type=Path, required=True, help="slice of one task, config/labels/T.yaml")
    parser.add_argument("--labels", type=Path, required=True, help="labels/T.parquet")
    _add_data(parser)
    parser.add_argument("--output", type=Path, required=True, help="folder of the model")
    parser.add_argument("--vectors", type=Path, help="mode linear: what the stage `embed` made, embed/E")
    parser.add_argument(
        "--prompts",
        type=Path,
        help="mode zero_shot: slice of the task's prompts; default: prompts/T.yaml beside labels/",
    )
    _add_execution(parser)
    parser.set_defaults(run=_finetune)


def _add_data(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, "manifest")
    parser.add_argument("--signals", type=Path, required=True, help="folder of the prepared signals, preprocess/")


def _add_execution(parser: argparse.ArgumentParser) -> None:
    add_tracking(parser)
    parser.add_argument("--threads", type=int, help="CPU threads of this job, shared by its processes")


def _pretrain(args: argparse.Namespace) -> int:
    need("deepspeed", extra="train", what="pretrain")
    from ecglfm import distributed
    from ecglfm.config import EncoderSlice, load

    stop = distributed.StopFlag()  # before the slow imports: a signal during them is not lost
    config = load(EncoderSlice, args.config)
    pretrain = config.config.pretrain
    if pretrain is not None and pretrain.processes > 1 and not distributed.is_launched():
        from ecglfm.training.launcher import launch

        args.meter.hand_over()
        return distributed.hand_back(launch(_command(args, pretrain.processes), pretrain.processes))
    from ecglfm.training.pretraining import run_pretrain

    try:
        run_pretrain(
            config,
            manifest=args.manifest,
            signals=args.signals,
            output=args.output,
            index=args.index,
            tracking=tracking_of(args),
            rule=args.rule,
            threads=args.threads,
            stop=stop,
        )
    except distributed.Stopped:
        return distributed.hand_back(distributed.STOPPED)
    return 0


def _command(args: argparse.Namespace, processes: int) -> list[str]:
    """The same command for each of several processes, which share the threads."""
    command = [*([f"--cost={args.cost}"] if args.cost else []), "pretrain"]
    for name in ("config", "manifest", "signals", "output", "index", "tracking", "rule"):
        value = getattr(args, name)
        command += [f"--{name}={value}"] if value is not None else []
    if args.threads is not None:
        command.append(f"--threads={max(1, args.threads // processes)}")
    return command


def _finetune(args: argparse.Namespace) -> int:
    need("deepspeed", extra="train", what="finetune")
    from ecglfm import distributed
    from ecglfm.config import FinetuneSlice, TaskSlice, load

    stop = distributed.StopFlag()  # before the slow imports: a signal during them is not lost
    config, task = load(FinetuneSlice, args.config), load(TaskSlice, args.task)
    beside = args.task.parent.parent / "prompts" / args.task.name
    from ecglfm.training.finetuning import run_finetune

    try:
        run_finetune(
            config,
            fit=args.fit,
            encoder=args.encoder,
            task=task,
            labels=args.labels,
            manifest=args.manifest,
            signals=args.signals,
            output=args.output,
            vectors=args.vectors,
            prompts=args.prompts or (beside if beside.is_file() else None),
            tracking=tracking_of(args),
            rule=args.rule,
            threads=args.threads,
            stop=stop,
        )
    except distributed.Stopped:
        return distributed.hand_back(distributed.STOPPED)
    return 0
