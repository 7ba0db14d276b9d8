"""`benchmark audit`: the search for copies planted among synthetic or genuine recordings, against reading the bytes."""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecglfm.benchmark.data.copies import RATE, WAYS
from ecglfm.benchmark.timing import report, seconds

if TYPE_CHECKING:
    import numpy as np

_SAMPLES, _SHARD = 5000, 1000
_MOST_ORIGINALS = 1000  # of which copies are made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=int, default=20_000, help="recordings of 12 x 5000, 120 kB each")
    parser.add_argument("--hearts", choices=("own", "synthesis"), default="own", help="whose: this benchmark's, or "
                        "those of `ecglfm synthesize`, two recordings of each patient")  # fmt: skip
    parser.add_argument("--recordings", type=Path, help="a folder of WFDB recordings to use instead, at 500 Hz")
    parser.add_argument("--copies", type=int, default=16, help="of each kind, planted")
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


def _own_hearts(number: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Names, patients and samples of recordings, each of a heart of its own."""
    import numpy as np
    from scipy.ndimage import uniform_filter1d

    rng = np.random.default_rng(0)
    noise = rng.normal(0, 8, (200_000, 12)).astype(np.float32)
    noise += uniform_filter1d(rng.normal(0, 3000, noise.shape), 700, axis=0).astype(np.float32)
    for row in range(number):
        yield f"{row:08d}", f"{row:08d}", _heart(rng, noise)


def _synthesis(number: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """The same of `ecglfm synthesize`'s patients, two recordings each."""
    from ecglfm.sources.synthesis import draw_patient, generator, quantize, record_leads

    for row in range(number):
        patient, recording = divmod(row, 2)
        leads, _ = record_leads(draw_patient((0, 0), patient), generator(0, 0, patient, recording), mains=50.0)
        yield f"{row:08d}", f"{patient:08d}", quantize(leads, 1000.0)


def _genuine(folder: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """The same of a folder's recordings of 12 leads, each taken for a patient's only one."""
    from math import gcd

    import numpy as np
    from scipy.signal import resample_poly

    import ecglfm
    from ecglfm.config.base import UserError
    from ecglfm.records import RecordError

    paths = sorted(folder.rglob("*.hea"))
    if not paths:
        raise UserError(f"--recordings {folder}: no header (*.hea) in it")
    for path in paths:
        try:
            record = ecglfm.read_record(path.with_suffix("")).standard()
        except RecordError as error:
            print(f"{path} is left out: {error}")
            continue
        rate = round(record.sampling_rate)
        signal = 1000 * np.nan_to_num(record.signal)
        if rate != RATE:
            signal = resample_poly(signal, RATE // gcd(rate, RATE), rate // gcd(rate, RATE), axis=0)
        name = path.relative_to(folder).with_suffix("").as_posix()
        yield name, name, signal


def _originals(args: argparse.Namespace) -> Iterator[tuple[str, str, np.ndarray]]:
    if args.recordings:
        return _genuine(args.recordings)
    return {"own": _own_hearts, "synthesis": _synthesis}[args.hearts](args.records)


def _write(folder: Path, args: argparse.Namespace) -> tuple[Any, dict[tuple[str, str], str]]:
    """Shards below `folder`, their table, and the planted pairs with the way they differ."""
    import hashlib

    import numpy as np
    import pandas as pd

    rows, planted = [], {}
    kept: list[tuple[str, str, np.ndarray]] = []

    def copies() -> Iterator[tuple[str, str, np.ndarray]]:
        rng = np.random.default_rng(1)
        for way, copy in WAYS.items():
            for k in rng.permutation(len(kept))[: args.copies].tolist():
                name, patient, signal = kept[k]
                planted[f"s/{name}", f"s/{name} {way}"] = way
                yield f"{name} {way}", patient, copy(signal.astype(np.float64), rng)

    def everything() -> Iterator[tuple[str, str, np.ndarray]]:
        for one in _originals(args):
            if len(kept) < _MOST_ORIGINALS and len(one[2]) >= _SAMPLES:
                kept.append(one)
            yield one
        yield from copies()

    (folder / "s").mkdir()
    recordings = everything()
    for shard in itertools.count():
        batch = list(itertools.islice(recordings, _SHARD))
        if not batch:
            break
        parts, offset = [], 0
        for name, patient, signal in batch:
            samples = np.clip(np.rint(signal), -32767, 32767).astype(np.int16)
            parts.append(samples)
            content = {"record_id": f"s/{name}", "patient_id": f"s/{patient}", "shard": shard, "offset": offset}
            sha256 = hashlib.sha256(samples.tobytes()).hexdigest()
            rows.append(content | {"n_samples": len(samples), "sha256": sha256})
            offset += len(samples)
        np.save(folder / "s" / f"{shard:03d}.npy", np.concatenate(parts))
    table = pd.DataFrame(rows).sort_values("record_id", ignore_index=True)
    return table.assign(source="s", split="train", sampling_rate=RATE, lead_mask=(1 << 12) - 1), planted


def _print_found(found: list[dict[str, Any]], planted: dict[tuple[str, str], str], patients: dict[str, str]) -> None:
    """Copies found of each kind, and pairs that nobody planted, by whether they are one patient's."""
    pairs = {(pair["a"], pair["b"]): pair["correlation"] for pair in found}
    for way in WAYS:
        of_way = [pair for pair, name in planted.items() if name == way]
        print(f"copies, {way}: {sum(pair in pairs for pair in of_way)} of {len(of_way)} found")
    others = {pair: value for pair, value in pairs.items() if patients[pair[0]] != patients[pair[1]]}
    copied = {end for pair in planted for end in pair if end not in {one for one, _ in planted}}
    own = [pair for pair in pairs if pair not in others and not copied.intersection(pair)]
    print(f"pairs of two recordings of one patient: {len(own)}")
    print(f"pairs of two patients: {len(others)}")
    for (a, b), value in sorted(others.items()):
        print(f"  {a} and {b}: {value}")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    from ecglfm.data.manifest import ShardRecordings, duplicate_pairs
    from ecglfm.data.tables import table_pieces
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
    size = f"{len(table)} records, {args.workers} processes"
    report(f"audit, {size}", [took], "reading the bytes", [bare], per=len(table))
    _print_found(found, planted, dict(zip(table["record_id"], table["patient_id"], strict=True)))
