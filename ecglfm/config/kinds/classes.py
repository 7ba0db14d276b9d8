"""Kinds of task whose labels are there or not: one, several, or classes of which a record has exactly one."""

from __future__ import annotations

from dataclasses import replace

from ecglfm.config.kinds.kind import TaskKind

_LOSSES = "ecglfm.training.finetuning.losses"

MULTILABEL = TaskKind(
    name="multilabel",
    description="several",
    output="probability",
    outputs="probabilities",
    positive="positive",
    needed="positive or negative patients",
    listed="carry it",
    targets="ecglfm.training.finetuning.targets:Labels",
    losses={name: f"{_LOSSES}:make_{name}" for name in ("bce", "focal", "asymmetric")},
    scores={name: f"ecglfm.training.finetuning.scores:{name.upper()}" for name in ("auroc", "auprc", "f1")},
    link="ecglfm.models.outputs:Logistic",
    outcome="ecglfm.evaluation.metrics.classification:Predictions",
    headline=("auroc", "auprc", "f1", "brier"),
    pictures="ecglfm.evaluation.plots.pictures:class_figures",
    captions={"curves": "ROC curves", "calibration": "Calibration: observed share against predicted probability"},
)
BINARY = replace(
    MULTILABEL,
    name="binary",
    description="exactly one that is there or not",
    most=1,
    instead="multilabel",
)
MULTICLASS = replace(
    MULTILABEL,
    name="multiclass",
    description="classes of which a record has exactly one",
    least=2,
    instead="binary",
    exclusive=True,
    targets="ecglfm.training.finetuning.targets:OneClass",
    losses={"ce": f"{_LOSSES}:make_ce"},
    link="ecglfm.models.outputs:Softmax",
)
