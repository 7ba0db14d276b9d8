"""Whether the labels of a task can come from its sources: told when the config is read, not hours later."""

from __future__ import annotations

from collections.abc import Mapping

from ecglfm.config.base import UserError
from ecglfm.config.source_kinds import KINDS
from ecglfm.config.tasks import TaskConfig
from ecglfm.config.wording import nearest


def check_label_sources(task: TaskConfig, kinds: Mapping[str, str], where: str) -> None:
    """Hold the selectors of a task to the kinds of its sources.

    Parameters
    ----------
    task : TaskConfig
    kinds : dict
        Source: kind whose selectors apply.
    where : str
        What a message calls the task.

    Raises
    ------
    UserError
        A selector of what is no kind of database, or a label that no source of the task can have.
    """
    present = set(kinds.values())
    for place, kind, _ in task.selectors():
        if kind in KINDS:
            continue
        at = f"{where}: {place.rpartition('.')[0]}"
        if kind in kinds:
            raise UserError(f"{at}: {kind!r} is a source; selectors stand under its kind: write {kinds[kind]!r}")
        hint = nearest(kind, KINDS) or f"; kinds: {', '.join(KINDS)}"
        raise UserError(f"{at}: {kind!r} is no kind of source{hint}")
    for label, selectors in task.labels.items():
        if present.isdisjoint(selectors):
            raise UserError(
                f"{where}: labels.{label}: no selector for the kinds of its sources "
                f"({', '.join(sorted(present))}); add one, or change the task's `sources`"
            )
