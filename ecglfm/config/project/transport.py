"""`model: DIR` of the config: what of a finished model a plan must know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ConfigDict, Field

from ecglfm.config.base import Section, UserError, parse
from ecglfm.config.encoders import check_preprocess, read_description, read_json_of
from ecglfm.config.kinds import KINDS
from ecglfm.config.project.project import ProjectConfig
from ecglfm.config.tasks import TaskConfig


class _Labels(Section):
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    label_names: list[str] = Field(min_length=1)
    kind: str = "multilabel"
    task: str = "model"
    fit: str = ""


class FinishedModel(NamedTuple):
    """A model to be measured on this project's records.

    Attributes
    ----------
    folder : str
    name : str
        What its results are called: `{encoder}-{task}-{fit}`.
    tasks : list of str
        Tasks of the project with one of its labels.
    """

    folder: str
    name: str
    tasks: list[str]


def find_model(config: ProjectConfig, tasks: Mapping[str, TaskConfig]) -> FinishedModel | None:
    """The finished model that a project names; None where it names none.

    Raises
    ------
    UserError
        The folder holds no model, or one that predicts neither classes nor survival, reads signals prepared in another
        way, or knows none of the labels of the project's tasks of its sort.
    """
    if config.model is None:
        return None
    folder, where = Path(config.model), f"model: {config.model}"
    content = read_json_of(folder, "model", "model")
    about = parse(_Labels, content, f"{where}/model.json")
    kind = KINDS.get(about.kind)
    if kind is None or not (kind.has_classes or kind.time):
        raise UserError(
            f"{where}: is of `kind: {about.kind}`; evaluate_on measures labels that are there or not, and survival"
        )
    description = read_description(folder, "model", "model")
    otherwise = (
        {} if description.input is None else {"otherwise": "its thresholds would be of other signals than these"}
    )
    check_preprocess(description.preprocess, config.preprocess, where, **otherwise)
    usable = {
        name: task
        for name, task in tasks.items()
        if task.task_kind.has_classes == kind.has_classes and task.task_kind.columns == kind.columns
    }
    shared = [name for name, task in usable.items() if set(task.labels) & set(about.label_names)]
    if not shared:
        there = "; ".join(f"{name}: {', '.join(task.labels)}" for name, task in usable.items()) or "there are none"
        raise UserError(
            f"{where}: predicts {', '.join(about.label_names)}, of which no task has any ({there}); name a task with"
            " labels of these names in `tasks`"
        )
    encoder = str(content["encoder"].get("name", "encoder"))
    name = "-".join(part for part in (encoder, about.task, about.fit) if part)
    return FinishedModel(config.model, re.sub(r"[^\w.-]", "-", name), shared)
