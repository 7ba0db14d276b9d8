"""Mode `zero_shot`: no weight is trained; the validation records calibrate, and choose thresholds as of every fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

from ecglfm.config import PromptsSlice, TaskSlice, UserError, load
from ecglfm.config.fits import Fit
from ecglfm.models.heads import ECGModel
from ecglfm.models.text import say_labels
from ecglfm.training.finetuning.criterion import Criterion
from ecglfm.training.finetuning.decisions import windows_of
from ecglfm.training.finetuning.history import TrainingHistory
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.inference import predict


def prompts_of(fit: Fit, task: TaskSlice, path: Path | None) -> PromptsSlice | None:
    """What a zero-shot fit asks by: the slice in a file, or the labels' names without one; None of other fits."""
    if fit.mode != "zero_shot":
        return None
    return PromptsSlice.of(task.task, task.config) if path is None else load(PromptsSlice, path)


def answer_by_words(
    model: ECGModel, data: Labelled, encoder: Path, said: PromptsSlice, criterion: Criterion, *, calibrated: bool
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
    calibrated : bool
        Have `offsets` in the head where labels do not exclude each other: the order of the recordings stays.

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
    windows, target = windows_of(model, data, data.valid), data.target[data.valid]
    outputs = predict(model.eval(), data.signals, windows)
    if calibrated and not model.link.kind.exclusive:
        logits = model.link.logits(torch.from_numpy(outputs.astype(np.float64))).numpy()
        with torch.no_grad():
            model.head.bias.copy_(torch.from_numpy(offsets(target, logits)))
        outputs = predict(model, data.signals, windows)
    scores = criterion.validate(target, outputs)
    return TrainingHistory.of_start(scores, criterion.select_by, criterion.larger_is_better)


def offsets(target_nk: np.ndarray, logits_nk: np.ndarray) -> np.ndarray:
    """What is to be added to the logits of each label, for how frequent it is: cosines know nothing of that.

    Logistic regression on the logit, with one slope for all labels, which the temperature will be; of smoothed targets,
    (positives + 1) / (positives + 2) and 1 / (negatives + 2), so that a label of one class has one, too (Platt 1999).

    Parameters
    ----------
    target_nk : ndarray, shape (records, labels)
        1, 0, NaN unknown.
    logits_nk : ndarray, shape (records, labels)

    Returns
    -------
    ndarray of float64, shape (labels,)
        0 where nothing is known.
    """
    known = ~np.isnan(target_nk)
    positives, negatives = (target_nk == 1).sum(0), (target_nk == 0).sum(0)
    smoothed = np.where(target_nk == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(found: np.ndarray) -> tuple[float, np.ndarray]:
        slope, z = np.exp(found[0]), np.exp(found[0]) * logits_nk + found[1:]
        error = np.where(known, 1 / (1 + np.exp(-z)) - smoothed, 0.0)
        value = np.where(known, np.logaddexp(0, z) - smoothed * z, 0.0).sum()
        return value, np.concatenate([[(error * logits_nk).sum() * slope], error.sum(0)])

    start = np.zeros(1 + target_nk.shape[1])
    bounds = [(-3.0, 3.0), *[(None, None)] * target_nk.shape[1]]
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return best[1:] / np.exp(best[0])
