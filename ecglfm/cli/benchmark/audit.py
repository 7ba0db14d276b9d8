"""`benchmark audit`: the search for duplicate recordings among synthetic ones, against reading the bytes."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecglfm.cli.benchmark.timing import report, seconds

if TYPE_CHECKING:
    import numpy as np

_RATE, _SAMPLES, _SHARD = 500, 5000, 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=int, default=20_000, help="recordings of 12 x 5000, 120 kB each")
    parser.add_argument("--copies", type=int, default=200, help="of them, planted copies of others")
    parser.add_argument("--workers", type=int, default=2, help="processes")


def _heart(rng: np.random.Generator, noise: np.ndarray) -> np.ndarray:
    """A recording of its own: five waves a beat, its own shape in each lead, its own rhythm, hum and drift."""
    import numpy as np

    at = np.arange(400)
    middles, widths = (
        rng.uniform((90, 180, 195, 210, 300), (110, 190, 205, 220, 340)),
        rng.uniform((8, 3, 4, 4, 15), (14, 6, 8, 8, 30)),
    )
    waves = np.exp(-0.5 * ((at[:, None] - middles) / widths) ** 2)
    beat = waves @ rng.normal(0, np.array([[90], [120], [700], [250], [200]]), (5, 12))
    signal = np.zeros((_SAMPLES + 800, 12), np.float32)
    rr = rng.uniform(280, 560)
    onset = rng.uniform(0, rr)
    while onset < _SAMPLES + 400:
        signal[int(onset) : int(onset) + 400] += beat
        onset += rr * (1 + rng.normal(0, 0.03))
    start = rng.integers(len(noise) - _SAMPLES)
    return signal[400 : 400 + _SAMPLES] + np.roll(noise[start : start + _SAMPLES], rng.integers(12), axis=1)


def _copies() -> dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]]:
    """Ways in which a copy differs from its original."""
    import numpy as np
    from scipy.signal import resample_poly

    def resampled(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return resample_poly(resample_poly(signal, 4, 5, axis=0), 5, 4, axis=0)

    return {
        "exact": lambda signal, rng: signal,
        "begins up to 4 s later": lambda signal, rng: signal[rng.integers(1, 4 * _RATE) :],
        "500 to 400 to 500 Hz": resampled,
        "both": lambda signal, rng: resampled(signal[rng.integers(1, 4 * _RATE) :], rng),
        "rounded to 5 uV (gain 200)": lambda signal, rng: 5 * np.rint(signal / 5),
        "wrong gain": lambda signal, rng: signal * rng.uniform(0.3, 2.0),
    }


def _write(folder: Path, args: argparse.Namespace) -> tuple[Any, dict[tuple[str, str], str]]:
    """Shards below `folder`, their table, and the planted pairs with the way they differ."""
    import hashlib

    import numpy as np
    import pandas as pd
    from scipy.ndimage import uniform_filter1d

    rng = np.random.default_rng(0)
    noise = rng.normal(0, 8, (200_000, 12)).astype(np.float32)
    noise += uniform_filter1d(rng.normal(0, 3000, noise.shape), 700, axis=0).astype(np.float32)
    ways = list(_copies().items())
    first_copy = args.records - args.copies
    originals = rng.choice(first_copy, args.copies, replace=False)
    kept: dict[int, np.ndarray] = {}
    wanted = set(originals.tolist())
    rows, planted = [], {}
    (folder / "s").mkdir()
    for start in range(0, args.records, _SHARD):
        parts, offset = [], 0
        for row in range(start, min(start + _SHARD, args.records)):
            if row < first_copy:
                signal = _heart(rng, noise)
                if row in wanted:
                    kept[row] = signal
            else:
                original = int(originals[row - first_copy])
                name, way = ways[row % len(ways)]
                signal = way(kept[original], rng)
                planted[f"s/{original:08d}", f"s/{row:08d}"] = name
            samples = np.clip(np.rint(signal), -32767, 32767).astype(np.int16)
            parts.append(samples)
            content = {"record_id": f"s/{row:08d}", "source": "s", "shard": start // _SHARD, "offset": offset}
            sha256 = hashlib.sha256(samples.tobytes()).hexdigest()
            rows.append(content | {"n_samples": len(samples), "sha256": sha256})
            offset += len(samples)
        np.save(folder / "s" / f"{start // _SHARD:03d}.npy", np.concatenate(parts))
    records = pd.DataFrame(rows).assign(split="train", sampling_rate=_RATE, lead_mask=(1 << 12) - 1)
    return records.assign(patient_id=records["record_id"]), planted


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    from ecglfm.data.duplicates.recordings import ShardRecordings
    from ecglfm.data.duplicates.search import duplicate_pairs
    from ecglfm.data.pieces import table_pieces
    from ecglfm.provenance import write_parquet

    def read(folder: Path) -> None:
        for path in sorted(folder.rglob("*.npy")):
            with path.open("rb") as file:
                while file.read(1 << 20):
                    pass

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, planted = _write(folder, args)
        write_parquet(folder / "records.parquet", table)
        records = partial(table_pieces, folder / "records.parquet")
        bare = seconds(lambda: read(folder))
        found: list[dict[str, Any]] = []
        took = seconds(
            lambda: found.extend(
                duplicate_pairs(
                    records, ShardRecordings(records, folder), duplicate_correlation=0.98, workers=args.workers
                )
            )
        )
    pairs = {(pair["a"], pair["b"]) for pair in found}
    size = f"{len(table)} records, {args.workers} processes"
    report(f"audit, {size}", [took], "reading the bytes", [bare], per=len(table))
    for way in _copies():
        of_way = [pair for pair, name in planted.items() if name == way]
        print(f"copies, {way}: {sum(pair in pairs for pair in of_way)} of {len(of_way)} found")
    print(f"pairs that are no copies: {len(pairs - set(planted))}")
