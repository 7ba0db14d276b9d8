"""`ecglfm benchmark WHAT`: speed figures, each beside a yardstick measured in the same run.

Machines differ and are noisy: quote the ratio, or the median with the machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("benchmark", help="measure speed on this machine")
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    plan = kinds.add_parser("plan", help="a dry run of the workflow, against the start of Snakemake alone")
    plan.add_argument("--runs", type=int, default=5, help="runs of each, in turn")
    plan.set_defaults(run=_plan)
    generator = kinds.add_parser("synthesize", help="the synthetic generator on one core, against writing its bytes")
    generator.add_argument("--patients", type=int, default=300, help="patients with two recordings each")
    generator.add_argument("--runs", type=int, default=3, help="runs of each, in turn")
    generator.set_defaults(run=_synthesize)
    bootstrap = kinds.add_parser(
        "bootstrap", help="intervals of 71 labels x 2,200 records, against scikit-learn's AUROC"
    )
    bootstrap.add_argument("--resamples", type=int, default=1000, help="resamples of patients")
    bootstrap.set_defaults(run=_bootstrap)


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _report(name: str, seconds: list[float], yardstick: str, other: list[float], *, per: float | None = None) -> None:
    """One line: median of each and the median ratio of neighbouring runs."""
    ratio = statistics.median(a / b for a, b in zip(seconds, other, strict=True))
    rate = f" ({per / statistics.median(seconds):.0f} records/s)" if per else ""
    print(f"{name}: {statistics.median(seconds):.3f} s{rate}; {yardstick}: {statistics.median(other):.3f} s; "
          f"ratio {ratio:.2f}; {len(seconds)} runs")  # fmt: skip


def _plan(args: argparse.Namespace) -> None:
    def snakemake(*arguments: str) -> float:
        return _seconds(lambda: subprocess.run(["snakemake", *arguments], check=True, capture_output=True))

    pairs = [(snakemake("-n"), snakemake("--version")) for _ in range(args.runs)]
    _report("snakemake -n", [a for a, _ in pairs], "snakemake --version", [b for _, b in pairs])


def _synthesize(args: argparse.Namespace) -> None:
    import numpy as np

    from ecglfm.config import SourceConfig, SourceSlice
    from ecglfm.sources.synthetic import run_synthesize

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
        made, written = [], []
        for _ in range(args.runs):
            with tempfile.TemporaryDirectory() as folder:
                made.append(_seconds(lambda: run_synthesize(slice_, Path(folder) / "made", workers=1)))  # noqa: B023
                written.append(_seconds(lambda: write_bytes(Path(folder) / "bytes")))
        _report(f"synthesize {layout}, {records} records, 1 core", made, "the same bytes", written, per=records)


def _bootstrap(args: argparse.Namespace) -> None:
    import numpy as np
    from sklearn.metrics import roc_auc_score

    from ecglfm.evaluation.bootstrap import Predictions, summarize

    rng = np.random.default_rng(0)
    target = (rng.random((2200, 71)) < np.geomspace(0.3, 0.003, 71)).astype(float)
    names, patients = [f"label{i}" for i in range(71)], rng.integers(1900, size=2200).astype(str)
    data = Predictions(names, target, rng.random((2200, 71)), np.full(71, 0.5), patients)
    ours = _seconds(lambda: summarize(data, resamples=args.resamples, confidence=0.95, seed=0))
    once = _seconds(lambda: roc_auc_score(target, data.probabilities, average=None))
    _report(f"eight metrics, {args.resamples} resamples", [ours], "AUROC alone, as often", [once * args.resamples])
