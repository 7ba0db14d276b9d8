"""Why a task leaves records of its sources out."""

from __future__ import annotations

import pandas as pd

from ecglfm.config import TaskSlice
from ecglfm.data.labels.source_targets import EXCLUDED, target_columns
from ecglfm.records import ledger_frame

#: Reasons why a task leaves a record out.
DETAILS = {
    "no_split": "in no split",
    "excluded": "taken out by `exclude`",
    "label_unknown": "no label of the task is known of it",
    "no_label": "carries none of the task's labels",
    "several_classes": "carries several of the task's classes",
    "rare_class": "its class has too few training records (rare: leave_out)",
    "time_not_positive": "its time is not above 0",
}


def left_out(labelled: pd.DataFrame, slice: TaskSlice) -> pd.Series:  # noqa: A002
    """Why each record is left out of the task; null for those that stay. The first reason counts."""
    config, kind = slice.config, slice.config.task_kind
    labels = labelled[[column for label in config.labels for column in target_columns(slice, label)]]
    reason = pd.Series(None, index=labelled.index, dtype="object")
    n_carried = (labels == 1).sum(axis=1)
    if kind.exclusive or (kind.independent and config.missing == "drop"):
        reason[n_carried == 0] = "no_label"
    if kind.exclusive:
        reason[n_carried > 1] = "several_classes"
    reason[labels.isna().all(axis=1)] = "label_unknown"
    if kind.time is not None:
        times = labels[[f"{kind.time}.{label}" for label in config.labels]]
        reason[~(times > 0).any(axis=1) & times.notna().any(axis=1)] = "time_not_positive"
    reason[labelled[EXCLUDED].astype(bool)] = "excluded"
    reason[labelled["split"].isna()] = "no_split"
    return reason


def ledger_of(task: str, out: pd.DataFrame, reason: pd.Series) -> pd.DataFrame:
    """Rows of the ledger for records that are left out, each with its reason."""
    rows = [
        {"source": source, "record_id": record, "stage": "labels", "action": "dropped", "reason": why,
         "detail": f"task {task}: {DETAILS[why]}"}
        for source, record, why in zip(out["source"], out["record_id"], reason, strict=True)
    ]  # fmt: skip
    return ledger_frame(rows)
