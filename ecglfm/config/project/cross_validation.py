"""What a cross-validation of some sources (`manifest.folds: {SOURCE: {k: 5}}`) allows the rest of a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecglfm.config.base import UserError
from ecglfm.config.encoders import EncoderConfig
from ecglfm.config.project.definitions import Definitions
from ecglfm.config.project.project import ProjectConfig


def folds_of(config: ProjectConfig, sources: Sequence[str]) -> int | None:
    """Number of folds of a task with these sources; None where none of them is cross-validated."""
    return next(
        (config.manifest.cross_validated[name] for name in sources if name in config.manifest.cross_validated), None
    )


def check_cross_validation(
    config: ProjectConfig,
    tasks: Mapping[str, Sequence[str]],
    encoders: Mapping[str, EncoderConfig],
    definitions: Definitions,
) -> None:
    """Raise `UserError` where something does not go together with folds.

    Parameters
    ----------
    config : ProjectConfig
    tasks : mapping
        Sources of each fitted task.
    encoders : mapping
    definitions : Definitions
        Of the encoders, for messages.
    """
    dealt = config.manifest.cross_validated
    for name, encoder in encoders.items():
        if encoder.pretrain is None:
            continue
        where = definitions.where("encoders", name)
        named = [source for source in encoder.pretrain.named_sources or () if source in dealt]
        if named:
            raise UserError(
                f"{where}: pretrain.sources: {named[0]!r} is cross-validated (manifest.folds):"
                " an encoder must not see its patients; take it out"
            )
        if encoder.pretrain.named_sources is None and set(config.sources) <= set(dealt):
            raise UserError(
                f"{where}: pretrain: every source is cross-validated (manifest.folds), none is"
                " left to pretrain on; add one, or import an encoder (`weights: import`)"
            )
    for task, sources in tasks.items():
        own = [source for source in sources if source in dealt]
        if not own:
            continue
        tested = [source for source in sources if source not in dealt and config.manifest.is_tested(source)]
        if tested:
            raise UserError(
                f"config.yaml: manifest.folds: task {task!r} tests {own[0]!r} by cross-validation, beside which"
                f" {tested[0]!r} may only help to train: write `fractions: {{{tested[0]}: {{valid: 0.1, test: 0}}}}`,"
                " cross-validate it as well, or take it out of the task's `sources`"
            )
        if min(config.finetune.fractions) < 1:
            raise UserError(
                f"config.yaml: finetune.fractions: task {task!r} is cross-validated (manifest.folds), whose fits take"
                " all patients of the other folds; write `fractions: [1.0]`"
            )
