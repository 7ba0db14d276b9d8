"""What is measured: speed, each figure beside a yardstick of the same run, and how often statistics hold.

Machines differ and are noisy: quote the ratio, or the median with the machine. A benchmark is one module here with
`add_arguments` and `run`, named in `BENCHMARKS`; its docstring is its help.
"""

from __future__ import annotations

from ecglfm.benchmark import (
    audit,
    bootstrap,
    candidates,
    cardiosoft,
    checkpoint,
    comparisons,
    conformal,
    encoders,
    gpu,
    index_tables,
    ingest,
    intervals,
    loader,
    memory,
    outliers,
    plan,
    plan_large,
    precisions,
    predict,
    preprocess,
    pretraining,
    probe,
    roofline,
    serve,
    shuffle,
    synthesize,
    thresholds,
    train,
)

__all__ = ["BENCHMARKS"]

#: In the order of `ecglfm benchmark --help`.
BENCHMARKS = (
    plan,
    plan_large,
    synthesize,
    index_tables,
    ingest,
    cardiosoft,
    intervals,
    predict,
    serve,
    preprocess,
    audit,
    loader,
    shuffle,
    memory,
    outliers,
    bootstrap,
    comparisons,
    conformal,
    thresholds,
    train,
    encoders,
    roofline,
    gpu,
    candidates,
    precisions,
    checkpoint,
    pretraining,
    probe,
)
