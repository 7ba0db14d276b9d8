"""Tasks whose labels are times until an event, or until the last news without one."""

from __future__ import annotations

from ecglfm.config.kinds.kind import TaskKind

SURVIVAL = TaskKind(
    name="survival",
    description="times until an event",
    read_from=("time", "event"),
    columns=("time", "event"),
    truth=("time", "event"),
    output="risk",
    outputs="risks",
    time="time",
    positive="event",
    needed="patients with the event",
    listed="events",
    statistics={"mean time": "mean"},
    targets="ecglfm.training.finetuning.targets:Times",
    losses={"cox": "ecglfm.training.finetuning.losses:make_cox"},
    scores={"c_index": "ecglfm.training.finetuning.scores:C_INDEX"},
    link="ecglfm.models.outputs:Link",
    outcome="ecglfm.evaluation.metrics.survival:SurvivalPredictions",
    headline=("c_index", "c_index_uno", "td_auc", "ece"),
    pictures="ecglfm.evaluation.plots.pictures:survival_figures",
    captions={
        "curves": "Survival by group of predicted risk (Kaplan and Meier)",
        "calibration": "Calibration: observed against predicted survival, by group of risk",
    },
)
