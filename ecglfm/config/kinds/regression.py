"""Tasks whose labels are numbers."""

from __future__ import annotations

from ecglfm.config.kinds.kind import TaskKind

REGRESSION = TaskKind(
    name="regression",
    description="numbers",
    read_from=("value",),
    output="prediction",
    outputs="predictions",
    positive="known number",
    carried=False,
    needed="patients",
    listed="known",
    statistics={"mean": "mean", "SD": "spread"},
    targets="ecglfm.training.finetuning.targets:Numbers",
    losses={name: f"ecglfm.training.finetuning.losses:make_{name}" for name in ("mse", "huber")},
    scores={"mae": "ecglfm.training.finetuning.scores:MAE"},
    link="ecglfm.models.outputs:Standardized",
    standardized=True,
    outcome="ecglfm.evaluation.metrics.regression:RegressionPredictions",
    headline=("r2", "pearson", "mae"),
    pictures="ecglfm.evaluation.plots.pictures:quantity_figures",
    captions={
        "curves": "Prediction against truth",
        "calibration": "Difference from the truth against the mean of the two",
    },
)
