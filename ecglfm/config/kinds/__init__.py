"""Kinds of task: a file with a `TaskKind`, and its name in `KINDS`; nothing else compares them.

`kind` in a task's YAML, in model.json and in metrics.json is a key of `KINDS`.
"""

from __future__ import annotations

from ecglfm.config.kinds.classes import BINARY, MULTICLASS, MULTILABEL
from ecglfm.config.kinds.kind import TaskKind
from ecglfm.config.kinds.regression import REGRESSION
from ecglfm.config.kinds.survival import SURVIVAL

__all__ = ["KINDS", "TaskKind"]

#: Every kind by its name, in the order of documents.
KINDS: dict[str, TaskKind] = {kind.name: kind for kind in (BINARY, MULTILABEL, MULTICLASS, REGRESSION, SURVIVAL)}
