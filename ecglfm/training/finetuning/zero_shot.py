"""Mode `zero_shot`: nothing is trained; the validation records choose temperatures and thresholds, as of every fit."""

from __future__ import annotations

from pathlib import Path

from ecglfm.config import PromptsSlice, TaskSlice, UserError, load
from ecglfm.config.fits import Fit
from ecglfm.models.heads import ECGModel
from ecglfm.models.text import say_labels
from ecglfm.training.finetuning.criterion import Criterion
from ecglfm.training.finetuning.decisions import windows_of
from ecglfm.training.finetuning.history import EarlyStopping, TrainingHistory
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.inference import predict


def prompts_of(fit: Fit, task: TaskSlice, path: Path | None) -> PromptsSlice | None:
    """What a zero-shot fit asks by: the slice in a file, or the labels' names without one; None of other fits."""
    if fit.mode != "zero_shot":
        return None
    return PromptsSlice.of(task.task, task.config) if path is None else load(PromptsSlice, path)


def answer_by_words(
    model: ECGModel, data: Labelled, encoder: Path, said: PromptsSlice, criterion: Criterion
) -> TrainingHistory:
    """Give a model the head that prompts make; what it scores on the validation records is its history, of epoch 0.

    Parameters
    ----------
    model : ECGModel
        Of mode `zero_shot`; is changed, and in `eval()` afterwards.
    data : Labelled
    encoder : path
        What the model's encoder was loaded from.
    said : PromptsSlice
    criterion : Criterion

    Raises
    ------
    UserError
        The task has no classes or a label no prompt; or as `say_labels`.
    """
    if not model.link.kind.has_classes:
        raise UserError(f"--fit: zero_shot asks for labels in words, and a task of kind {model.kind} has no classes")
    if missing := [name for name in model.label_names if name not in said.prompts]:
        raise UserError(f"prompts of task {said.task}: label {missing[0]!r} has none: the file is older than the task")
    say_labels(model, encoder, [said.prompts[name] for name in model.label_names])
    outputs = predict(model.eval(), data.signals, windows_of(model, data, data.valid))
    scores = criterion.validate(data.target[data.valid], outputs)
    history = TrainingHistory(EarlyStopping(1, criterion.larger_is_better))
    history.rows.append({"epoch": 0, "split": "valid", **scores})
    history.best.improves(0, scores[criterion.select_by])
    return history
