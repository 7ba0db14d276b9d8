"""`benchmark synthesize`: the synthetic generator on one core, against writing its bytes."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from ecglfm.benchmark.timing import report, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--patients", type=int, default=300, help="patients with two recordings each")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np

    from ecglfm.config import SourceConfig, SourceSlice
    from ecglfm.sources.synthesis import run_synthesize

    records = 2 * args.patients
    signal = np.zeros((5000, 12), dtype="<i2")

    def write_bytes(folder: Path) -> None:
        folder.mkdir()
        for number in range(records):
            (folder / f"{number}.hea").write_text("x" * 500, encoding="ascii")
            signal.tofile(folder / f"{number}.dat")

    for layout in ("ptbxl", "mimic_iv_ecg"):
        config = SourceConfig.model_validate({"kind": "synthetic", "layout": layout, "patients": args.patients})
        slice_ = SourceSlice(source="benchmark", config=config)
        made, busy, written = [], [], []
        for _ in range(args.runs):
            with tempfile.TemporaryDirectory() as folder:
                before = time.process_time()
                made.append(seconds(lambda: run_synthesize(slice_, Path(folder) / "made", workers=1)))  # noqa: B023
                busy.append(time.process_time() - before)
                written.append(seconds(lambda: write_bytes(Path(folder) / "bytes")))
        report(f"synthesize {layout}, {records} records, 1 core", made, "the same bytes", written, per=records)
        rate = records / statistics.median(busy)
        print(
            f"  of that the processor was busy {statistics.median(busy):.3f} s: {rate:.0f} records/s of processor time"
        )
