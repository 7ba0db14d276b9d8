"""`benchmark encoders`: size and arithmetic of encoders, and the time of a supervised step beside another's.

A step is forward, backward and Adam in mode `full`, of noise; of an encoder without weights its vectors and a head.
Turns go round, so that each encoder's step has one of the yardstick's right beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--encoders", nargs="+", default=["xresnet1d101", "vit-tiny", "statistics"], metavar="NAME")
    parser.add_argument("--beside", default="small", metavar="NAME", help="the yardstick")
    parser.add_argument("--config", type=Path, default=Path("config"), help="folder that holds encoders/")
    parser.add_argument("--batch", type=int, default=8, help="segments of 5 s in a step")
    parser.add_argument("--repeats", type=int, default=5)


def run(args: argparse.Namespace) -> None:
    """Measure and print a table."""
    import statistics

    from ecglfm.benchmark.timing import seconds

    steps = {name: _step(args.config, name, args.batch) for name in dict.fromkeys([*args.encoders, args.beside])}
    for _, step in steps.values():
        step()  # memory is taken, kernels are chosen
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(args.repeats):
        for name, (_, step) in steps.items():
            taken[name].append(seconds(step))
    print(f"| encoder | parameters | forward, GFLOP a segment | step of {args.batch}, ms | {args.beside} = 1 |")
    print("|---|---|---|---|---|")
    for name, (facts, _) in steps.items():
        ratio = statistics.median(own / other for own, other in zip(taken[name], taken[args.beside], strict=True))
        print(f"| {name} | {facts} | {1000 * statistics.median(taken[name]):.0f} | {ratio:.2f} |", flush=True)


def _step(config: Path, name: str, batch: int) -> tuple[str, Callable[[], object]]:
    """Cells that tell the size of an encoder, and one step of it."""
    import torch

    from ecglfm.benchmark.training.flops import encoder_flops
    from ecglfm.config import EncoderConfig, PreprocessConfig, load
    from ecglfm.models.encoders import make_encoder
    from ecglfm.models.heads import ECGModel

    model, preprocess = load(EncoderConfig, config / f"encoders/{name}.yaml").model, PreprocessConfig()
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    device = found or torch.device("cpu")
    torch.manual_seed(0)
    encoder = make_encoder(model, preprocess.leads, preprocess.sampling_rate, preprocess, 5.0)
    whole = ECGModel(encoder, ["a"] * 5, "full" if "full" in model.modes else "linear").to(device).train()
    whole.freeze(whole.mode, freeze_frontend=False)
    x = torch.randn(batch, len(encoder.leads), encoder.crop_samples, device=device)
    optimizer = torch.optim.Adam(parameter for parameter in whole.parameters() if parameter.requires_grad)

    def step() -> None:
        optimizer.zero_grad()
        whole(x).square().mean().backward()
        optimizer.step()
        if device.type != "cpu":
            torch.accelerator.synchronize()

    count = sum(parameter.numel() for parameter in encoder.parameters())
    flops = encoder_flops(model, segments=1, leads=len(encoder.leads), samples=encoder.crop_samples)
    return f"{count:,} | {'-' if flops is None else f'{flops / 1e9:.2f}'}", step
