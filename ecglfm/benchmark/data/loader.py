"""`benchmark loader`: batches of 64 pairs of 5 s in one process, against loading a file per segment."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ecglfm.benchmark.timing import seconds

if TYPE_CHECKING:
    import pandas as pd

    from ecglfm.data.loading import PretrainBatches

ORIGINAL = 4321  # segments/s of ECG-LFM's own loader (CMSC pairs, one process), on 2 quiet cores like ours
PAIRS, LENGTH, LEADS, RECORD = 64, 2500, 12, 5000  # 5 s of 10 s at 500 Hz
SEGMENTS = 2 * PAIRS
FILES = 512  # of the original's kind: 123 MB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--patients", type=int, default=2000, help="patients with two recordings of 10 s, 240 KB each")
    parser.add_argument("--shards", type=int, default=8, help="files they lie in")
    parser.add_argument("--block", type=int, default=64, help="patients in a block, for the block shuffle")
    parser.add_argument("--runs", type=int, default=7, help="runs of each, in turn")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    logger = logging.getLogger("ecglfm.data")
    level = logger.level
    logger.setLevel(logging.WARNING)  # it tells of every sampler
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            records = _write(folder, args.patients, args.shards)
            _report_warm(_batches(records, folder), folder, args.runs)
            _report_cold(records, folder, args.block, args.runs)
    finally:
        logger.setLevel(level)


def _report_warm(data: PretrainBatches, folder: Path, runs: int) -> None:
    """Every byte is in memory."""
    count = min(data.updates_per_epoch, 30)
    for _ in range(-(-150 // count)):  # every page is mapped then, and nothing is read ahead any more
        _int16(data, 0, count)
    _int16(data, 0, data.updates_per_epoch)
    rates: dict[str, list[float]] = {"original": [], "copy": [], "float32": [], "int16": []}
    for turn in range(runs):
        start = turn * count
        rates["original"].append(SEGMENTS / seconds(lambda: _original_batch(folder)))
        rates["copy"].append(SEGMENTS * count / seconds(lambda: _copy(count)))
        rates["float32"].append(SEGMENTS * count / seconds(lambda: _float32(data, start, count)))  # noqa: B023
        rates["int16"].append(SEGMENTS * count / seconds(lambda: _int16(data, start, count)))  # noqa: B023
    print(f"a .mat file per segment, as the original: {median(rates['original']):.0f} segments/s")
    print(f"copying the bytes of int16 alone: {median(rates['copy']):.0f} segments/s")
    for name in ("float32", "int16"):
        ratio = median(ours / theirs for ours, theirs in zip(rates[name], rates["original"], strict=True))
        print(
            f"{name} with lead masks: {median(rates[name]):.0f} segments/s; {ratio:.1f} x the original's way here;"
            f" best {max(rates[name]):.0f}, {max(rates[name]) / ORIGINAL:.1f} x its {ORIGINAL} segments/s; {runs} runs"
        )


def _int16(data: PretrainBatches, start: int, count: int) -> None:
    deque(data.load(start, start + count), maxlen=0)  # each batch is let go before the next is made, as in training


def _float32(data: PretrainBatches, start: int, count: int) -> None:
    from ecglfm.data.samples import to_millivolts

    for forward in range(start, start + count):
        crops = data.crops(forward)
        pieces = data.signals.views(crops.rows, crops.starts, LENGTH, crops.valid)
        to_millivolts(pieces, crops.lead_mask, length=LENGTH)


def _write(folder: Path, patients: int, shards: int) -> pd.DataFrame:
    """Shards of noise with their manifest, and files of the original's kind."""
    import numpy as np
    import pandas as pd
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    noise = rng.integers(-2000, 2000, (64 * RECORD, LEADS), dtype=np.int16)
    records = pd.DataFrame({"number": np.arange(2 * patients)})
    records["patient_id"] = (records["number"] // 2).map("db/{:06d}".format)
    records["record_id"] = records["number"].map("db/{:07d}".format)
    records = records.assign(source="db", split="train", sampling_rate=500, n_samples=RECORD)
    records["shard"] = records["number"] * shards // len(records)
    records["offset"] = records.groupby("shard").cumcount() * RECORD
    (folder / "db").mkdir()
    for shard, size in records.groupby("shard").size().items():
        file = np.lib.format.open_memmap(
            folder / "db" / f"{shard:03d}.npy", mode="w+", dtype=np.int16, shape=(size * RECORD, LEADS)
        )
        for start in range(0, len(file), len(noise)):
            file[start : start + len(noise)] = noise[: len(file) - start]
        file.flush()
    (folder / "mat").mkdir()
    for number in range(FILES):
        segment = noise[number * 600 :][:LENGTH].T / 1000.0
        savemat(folder / "mat" / f"{number}.mat", {"feats": segment, "curr_sample_rate": 500, "patient_id": number})
    return records


def _batches(records: pd.DataFrame, folder: Path, block: int | None = None) -> PretrainBatches:
    from ecglfm.data.loading import PairSampler, PretrainBatches
    from ecglfm.data.samples import Signals

    sampler = PairSampler(records, split="train", length=LENGTH)
    return PretrainBatches(
        Signals(records, folder), sampler, batch_size=PAIRS, lead_mask_probability=0.5, shuffle_block=block
    )


def _original_batch(folder: Path) -> None:
    """One batch in the manner of ECG-LFM: a MATLAB file of 12 x 2500 float64 for each segment, one after the other."""
    import numpy as np
    import torch
    from scipy.io import loadmat

    rng, segments = np.random.default_rng(), []
    for number in rng.integers(FILES, size=SEGMENTS):
        segment = torch.from_numpy(loadmat(folder / "mat" / f"{number}.mat")["feats"]).float()
        segment[torch.from_numpy(rng.random(LEADS) < 0.5)] = 0
        segments.append(segment)
    torch.stack(segments)


def _copy(count: int) -> None:
    import numpy as np

    source = np.ones((4 * SEGMENTS, LENGTH, LEADS), np.int16)
    for turn in range(count):
        source[turn % 4 * SEGMENTS :][:SEGMENTS].copy()


def _report_cold(records: pd.DataFrame, folder: Path, block: int, runs: int) -> None:
    """Every byte comes from disk (not where the temporary folder is in memory)."""
    ways: dict[str, Callable[[], int]] = {
        "plain memory maps": lambda: _plain(records, folder),
        "full shuffle": lambda: _epoch(_batches(records, folder)),
        f"blocks of {block} neighbours": lambda: _epoch(_batches(records, folder, block)),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            for path in (folder / "db").iterdir():
                _forget(path)
            before, began = _bytes_from_disk(), time.perf_counter()
            segments = way()
            took = time.perf_counter() - began
            found[name].append((segments / took, (_bytes_from_disk() - before) / (segments * LENGTH * LEADS * 2)))
    for name, values in found.items():
        rate, share = (median(column) for column in zip(*values, strict=True))
        print(f"int16 from a cold cache, {name}: {rate:.0f} segments/s, {share:.2f} x their bytes read; {runs} runs")


def _epoch(data: PretrainBatches) -> int:
    _int16(data, 0, data.updates_per_epoch)
    return SEGMENTS * data.updates_per_epoch


def _plain(records: pd.DataFrame, folder: Path) -> int:
    """As many crops as four batches have, by NumPy's memory maps alone."""
    import numpy as np

    maps = [np.load(folder / "db" / f"{shard:03d}.npy", mmap_mode="r") for shard in range(records["shard"].max() + 1)]
    chosen = records.sample(4 * SEGMENTS, replace=True, random_state=0)
    starts = np.random.default_rng(0).integers(RECORD - LENGTH + 1, size=len(chosen))
    for shard, first in zip(chosen["shard"], chosen["offset"] + starts, strict=True):
        maps[shard][first : first + LENGTH].copy()
    return len(chosen)


def _forget(path: Path) -> None:
    """Drop a file from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def _bytes_from_disk() -> int:
    """Bytes that the storage had to deliver to this process (Linux)."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))
