"""Kinds of task: a file with a `TaskKind`, and its name in `KINDS`; nothing else compares them.

`kind` in a task's YAML, in model.json and in metrics.json is a key of `KINDS`.
"""

from __future__ import annotations

from ecglfm.config.kinds.classes import BINARY, MULTICLASS, MULTILABEL
from ecglfm.config.kinds.kind import TaskKind
from ecglfm.config.kinds.regression import REGRESSION
from ecglfm.config.kinds.survival import SURVIVAL

__all__ = ["KINDS", "TaskKind", "areas", "titles"]

#: Every kind by its name, in the order of documents.
KINDS: dict[str, TaskKind] = {kind.name: kind for kind in (BINARY, MULTILABEL, MULTICLASS, REGRESSION, SURVIVAL)}


def titles() -> dict[str, str]:
    """What the metrics of all kinds are called."""
    return {metric: title for kind in KINDS.values() for metric, title in kind.titles.items()}


def areas() -> set[str]:
    """Metrics of all kinds that are from 0 to 1, and one half for whoever never looks at a recording."""
    return {metric for kind in KINDS.values() for metric in kind.areas}
