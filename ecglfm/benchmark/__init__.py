"""What is measured: speed, each figure beside a yardstick of the same run, and how often statistics hold.

Machines differ and are noisy: quote the ratio, or the median with the machine. A benchmark is one module of a room
with `add_arguments` and `run`, which the room hands out and `BENCHMARKS` names; its docstring is its help.
"""

from __future__ import annotations

from ecglfm.benchmark import app, data, gpu, pretraining, statistics, training, workflow

__all__ = ["BENCHMARKS"]

#: In the order of `ecglfm benchmark --help`.
BENCHMARKS = (
    workflow.plan,
    workflow.plan_large,
    data.synthesize,
    data.index_tables,
    data.ingest,
    data.cardiosoft,
    statistics.intervals,
    app.predict,
    app.serve,
    data.preprocess,
    data.audit,
    data.loader,
    data.shuffle,
    data.memory,
    app.outliers,
    statistics.bootstrap,
    statistics.comparisons,
    statistics.conformal,
    statistics.thresholds,
    training.train,
    training.encoders,
    gpu.roofline,
    gpu.gpu,
    gpu.candidates,
    pretraining.precisions,
    training.checkpoint,
    pretraining.pretraining,
    training.probe,
)
