"""`benchmark shuffle`: what a block shuffle costs in randomness, and orders of an epoch in time, against a full one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecglfm.benchmark.timing import seconds

if TYPE_CHECKING:
    from ecglfm.data.loading import Order


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--patients", type=int, default=160_000, help="patients, in the order of the disk")
    parser.add_argument("--size", type=int, default=1024, help="pairs in a global batch")
    parser.add_argument("--block", type=int, default=64, help="patients in a block")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np

    from ecglfm.data.loading import BlockShuffled, Shuffled

    count, size, block = args.patients, args.size, args.block
    for name, order in (
        ("full shuffle", Shuffled(count, size=size, key=[0])),
        (f"blocks of {block}", BlockShuffled(np.arange(count), block=block, size=size, key=[0])),
    ):
        took = seconds(lambda: order.patients(0, 0, range(1)))  # noqa: B023
        print(f"{name}: order of {count} patients in {1000 * took:.0f} ms; {_describe(order, count, size, block)}")


def _describe(order: Order, count: int, size: int, block: int) -> str:
    """How batches differ from independent draws, over 50 epochs."""
    import numpy as np

    together, after, share, runs = [], [], [], []
    for epoch in range(50):
        batches = np.stack([order.patients(epoch, index, range(size)) for index in range(count // size)])
        sizes = np.unique(np.sort(batches[0] // block), return_counts=True)[1]
        together.append((sizes * (sizes - 1) // 2).sum())
        after.append(np.isin(batches[1] // block, batches[0] // block).mean())
        share.append((batches < count // 2).mean(axis=1))  # of one of two sources, the first half of the disk
        asked = np.sort(order.ahead(epoch, count // size // 2, range(size)))
        runs += [len(run) for run in np.split(asked, np.flatnonzero(np.diff(asked) > 1) + 1)]
    shares = np.array(share) - np.mean(share)
    lags = [1, block // 2, block]
    lagged = [f"{(shares[:, :-lag] * shares[:, lag:]).mean() / shares.var():.2f}" for lag in lags]
    return (
        f"read in runs of {max(np.mean(runs), 1):.0f} patients; {np.mean(together):.1f} pairs of one block in a batch;"
        f" {100 * np.mean(after):.1f} % of a batch with such a neighbour in the one before; share of one of two"
        f" sources +- {shares.std():.4f}, its correlation {', '.join(lagged)} after {lags} batches"
    )
