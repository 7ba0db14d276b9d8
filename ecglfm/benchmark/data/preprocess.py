"""`benchmark preprocess`: processor time on records of 10 s x 12 leads, against the bare SciPy calls and copies."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ecglfm.benchmark.timing import report

if TYPE_CHECKING:
    import numpy as np

    from ecglfm.config import PreprocessConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=int, default=500, help="records")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, in turn")


def busy(action: Callable[[], object]) -> float:
    """Processor time of one call, seconds: other work on the machine counts for less than in wall time."""
    started = time.process_time()
    action()
    return time.process_time() - started


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import threadpoolctl

    from ecglfm.config import PreprocessConfig

    with threadpoolctl.threadpool_limits(1):
        _steps(_recordings(args.records, 500), _recordings(args.records, 400), args.runs)
        _stage(_recordings(args.records, 500), args.runs, PreprocessConfig())


def _recordings(records: int, fs: int) -> np.ndarray:
    """Noise over a beat a second, int16 microvolts, shape (records, 10 s, 12)."""
    import numpy as np

    rng = np.random.default_rng(0)
    seconds = np.arange(10 * fs)[:, None] / fs
    beats = 1000 * np.exp(-(((seconds % 1.0 - 0.5) / 0.02) ** 2)) * rng.normal(size=12)
    found = np.stack([np.rint(beats + rng.normal(0, 20, beats.shape)) for _ in range(min(records, 100))])
    return np.resize(found.astype(np.int16), (records, *beats.shape))


def _steps(at_500: np.ndarray, at_400: np.ndarray, runs: int) -> None:
    """`prepare`, quality measures included, and the SciPy calls that it makes."""
    import numpy as np
    from scipy import signal as dsp

    from ecglfm.config import PreprocessConfig
    from ecglfm.data.signals import prepare

    band = dsp.butter(3, (0.5, 100.0), btype="bandpass", fs=500, output="sos")
    notch = dsp.tf2sos(*dsp.iirnotch(50.0, 30.0, fs=500))

    def filtered(x: np.ndarray) -> np.ndarray:
        return dsp.sosfiltfilt(notch, dsp.sosfiltfilt(band, x.astype(np.float64), axis=0), axis=0)

    def resampled(x: np.ndarray) -> np.ndarray:
        return dsp.resample_poly(x.astype(np.float64), 5, 4, axis=0, padtype="line")

    cases: list[tuple[str, np.ndarray, float, dict[str, object], str, Callable[[np.ndarray], object]]] = [
        ("500 Hz pass-through", at_500, 500, {}, "a copy", np.copy),
        ("400 to 500 Hz", at_400, 400, {}, "resample_poly", resampled),
        ("band-pass and notch", at_500, 500, {"bandpass": {}, "notch": {}}, "sosfiltfilt twice", filtered),
    ]
    for name, signals, fs, changes, yardstick, bare in cases:
        config = PreprocessConfig.model_validate(changes)
        ours, other = [], []
        for _ in range(runs):
            ours.append(busy(lambda: deque((prepare(x, fs, config) for x in signals), maxlen=0)))  # noqa: B023
            other.append(busy(lambda: deque(map(bare, signals), maxlen=0)))  # noqa: B023
        report(f"prepare {name}", ours, yardstick, other, per=len(signals))


def _stage(signals: np.ndarray, runs: int, config: PreprocessConfig) -> None:
    """The whole stage with one worker, and a copy of its input with the hash of every record."""
    import hashlib

    import numpy as np
    import pandas as pd

    from ecglfm.data.ingest import OUTPUT_DTYPES
    from ecglfm.data.signals import run_preprocess

    def copy(path: Path, to: Path) -> None:
        samples = np.load(path, mmap_mode="r").reshape(signals.shape)
        with to.open("wb") as file:
            for record in samples:
                file.write(content := record.tobytes())
                hashlib.sha256(content).hexdigest()

    n, length = signals.shape[:2]
    values = {
        "record_id": [f"b/{i}" for i in range(n)], "source": "b", "patient_id": "b/0", "offset": np.arange(n) * length,
        "n_samples": length, "sampling_rate": 500.0, "lead_mask": 4095, "missing_samples": 0,
        "sha256": [hashlib.sha256(record.tobytes()).hexdigest() for record in signals],
    }  # fmt: skip
    stage, copied = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "000.npy"
        np.save(path, signals.reshape(-1, signals.shape[2]))
        pd.DataFrame(values, columns=list(OUTPUT_DTYPES)).to_parquet(path.with_suffix(".parquet"))
        for _ in range(runs):
            output = Path(folder) / "made" / "000.npy"
            stage.append(busy(lambda: run_preprocess(config, path, output, workers=1)))  # noqa: B023
            copied.append(busy(lambda: copy(path, Path(folder) / "copy")))
    report("stage preprocess, 500 Hz pass-through, 1 worker", stage, "copy and hash", copied, per=n)
