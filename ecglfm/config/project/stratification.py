"""The tasks of `manifest.stratify`, and nothing of them that does not decide about splits."""

from __future__ import annotations

from collections.abc import Sequence

from ecglfm.config.base import UserError
from ecglfm.config.project.definitions import Definitions
from ecglfm.config.tasks import TaskConfig

#: Keys that change no label of no record.
_NO_MATTER = ("description", "min_positives", "rare")


def load_stratifying(definitions: Definitions, names: Sequence[str], sources: Sequence[str]) -> dict[str, TaskConfig]:
    """Read tasks by whose labels patients are split.

    They need not be among the project's `tasks`: that list may change without moving anybody.

    Parameters
    ----------
    definitions : Definitions
        Of the tasks.
    names : sequence of str
        `manifest.stratify`.
    sources : sequence of str
        Of the project.

    Returns
    -------
    dict
        By name, with the sources filled in; keys that decide about no label are as by default.

    Raises
    ------
    UserError
        A file cannot be read, a task has no classes or events, or it names a source that the project has not.
    """
    tasks = {}
    for name in names:
        path, task = definitions.where("tasks", name), definitions.task(name)
        if not isinstance(task, TaskConfig) or not task.task_kind.carried:
            raise UserError(f"{path}: `kind: {task.kind}` has no labels for `manifest.stratify` to hold at their share")
        own = list(sources) if task.sources is None else [name for name in sources if name in task.sources]
        unknown = sorted(set(task.sources or []) - set(sources))
        if unknown:
            raise UserError(f"{path}: sources: {unknown[0]!r} is not in the project's sources: {', '.join(sources)}")
        defaults = {key: TaskConfig.model_fields[key].default for key in _NO_MATTER}
        tasks[name] = task.model_copy(update={"sources": own} | defaults)
    return tasks
