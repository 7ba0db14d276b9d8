"""`benchmark ingest`: the WFDB reader and the whole ingest stage, against wfdb.rdsamp and numpy.fromfile."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ecglfm.benchmark.timing import seconds

if TYPE_CHECKING:
    import pandas as pd

IN_A_FOLDER = 1000  # records, as PTB-XL has them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=int, default=2000, help="records of 12 leads x 5,000 samples, format 16")
    parser.add_argument("--repeat", type=int, default=5, help="how often the stage reads each of them")
    parser.add_argument("--yardstick", type=int, default=200, help="records that wfdb.rdsamp reads a run; it is slow")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np
    import wfdb

    from ecglfm.config import LEADS, SourceConfig, SourceSlice
    from ecglfm.data.ingest import run_ingest
    from ecglfm.sources.base import write_index
    from ecglfm.sources.inside import Root
    from ecglfm.sources.wfdb_reader import read_wfdb, write_record

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generator = np.random.default_rng(0)
        paths = [f"records500/{k // IN_A_FOLDER * IN_A_FOLDER:05d}/{k:05d}_hr" for k in range(args.records)]
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            samples = generator.normal(0, 300, (5000, 12)).astype(np.int16)
            write_record((folder / path).parent, Path(path).name, samples, leads=LEADS, gain=1000.0, sampling_rate=500)
        slice_ = SourceSlice(source="benchmark", config=SourceConfig(kind="ptbxl", root=temporary))
        index = folder / "index.parquet"
        write_index(index, [_index(paths, args.repeat)])

        def stage(workers: int) -> Callable[[], None]:
            return lambda: run_ingest(slice_, index, 0, 1, folder / "out" / "000.npy", workers)

        root = Root(folder)
        actions: dict[str, tuple[int, Callable[[], object]]] = {
            "wfdb.rdsamp": (
                min(args.yardstick, args.records),
                lambda: [wfdb.rdsamp(str(folder / path)) for path in paths[: args.yardstick]],
            ),
            "numpy.fromfile": (
                args.records,
                lambda: [np.fromfile(folder / f"{path}.dat", dtype="<i2") for path in paths],
            ),
            "reader, verified": (args.records, lambda: [read_wfdb(root, path) for path in paths]),
            "reader to millivolts": (args.records, lambda: [read_wfdb(root, path).signal for path in paths]),
            "ingest, 1 worker": (args.records * args.repeat, stage(1)),
            "ingest, 2 workers": (args.records * args.repeat, stage(2)),
        }
        _measure(actions, args.runs)


def _index(paths: list[str], repeat: int) -> pd.DataFrame:
    import pandas as pd

    from ecglfm.records import INDEX_COLUMNS

    frame = pd.DataFrame({"path": paths * repeat}).reindex(columns=list(INDEX_COLUMNS))
    frame["record_id"] = [f"benchmark/{number}" for number in range(len(frame))]
    frame["codes"] = [[] for _ in range(len(frame))]
    return frame.assign(patient_id=frame["record_id"], source="benchmark")


def _measure(actions: dict[str, tuple[int, Callable[[], object]]], runs: int) -> None:
    """Run all in turn; a line for each: median rate and median ratio to the first."""
    rates: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(runs):
        for name, (records, action) in actions.items():
            rates[name].append(records / seconds(action))
    yardstick = next(iter(actions))
    for name, (records, _) in actions.items():
        ratio = statistics.median(a / b for a, b in zip(rates[name], rates[yardstick], strict=True))
        rate = statistics.median(rates[name])
        print(f"{name}: {rate:.0f} records/s; {ratio:.1f} x {yardstick}; {records} records, {runs} runs")
