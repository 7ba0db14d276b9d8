"""A head that begins as a linear probe, so that what is pretrained is not bent to a random one (arXiv:2202.10054).

Logistic regression, or what else the loss says, on the vectors of the encoder as it comes: done in moments, so nothing
of it is saved. Vectors are standardised for it; the penalty on its weights is chosen on the validation split.

Shapes: n records, d width of a vector, k labels.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ecglfm import distributed
from ecglfm.models.heads import ECGModel
from ecglfm.training.compilation import leave_compiler_out
from ecglfm.training.finetuning.criterion import Criterion
from ecglfm.training.finetuning.history import TrainingHistory
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.finetuning.linear_probe import window_vectors
from ecglfm.training.inference import aggregate_by_record, evaluating, outputs_by_record
from ecglfm.training.vectors import embed_windows

logger = logging.getLogger(__name__)

#: Of half the squared weights of a label, beside the mean of its loss over records; the best one is taken.
PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
#: Of half its squared bias: too little to be seen, but where a label has no positives the bias is -5, not -24.
BIAS_PENALTY = 1e-3
_MOST = 10_000  # records to learn from, and as many to choose by: more make no better start, and take long
_MOST_SOLVED = 50_000  # where no steps come after it; as float64 a record of 1024 numbers takes 8 kB
_STEPS = 500  # of L-BFGS; a hundred usually do
_FLAT = 1e-5  # a number of the vector that deviates by less, of 1 + its mean, is rounding: it says nothing


def start_from_probe(
    model: ECGModel, data: Labelled, criterion: Criterion, stop: distributed.StopFlag | None = None
) -> None:
    """Give the head the weights of a linear probe of the mean vectors of records.

    Parameters
    ----------
    model : ECGModel
        Of a mode whose head is a Linear on `encoder.embed`.
    data : Labelled
    criterion : Criterion
    stop : StopFlag, optional
        Ends the encoder's work, of which nothing is kept.

    Raises
    ------
    Stopped
        `stop` was raised.
    """
    train, valid = (_some(rows, _MOST) for rows in (data.train, data.valid))
    table = data.signals.windows(model.encoder.crop_samples)
    table = table[table["row"].isin(np.concatenate([train, valid]))]
    own_stop = stop if distributed.world_size() == 1 else None  # ranks would not stop at the same place
    with _stop_told():
        vectors = embed_windows(model.encoder, data.signals, table, stop=own_stop)
        _solve(model, data, table["row"].to_numpy(), vectors, criterion, own_stop)


@contextmanager
def _stop_told() -> Iterator[None]:
    """Say that a signal ended it."""
    try:
        yield
    except distributed.Stopped:
        logger.warning("stopped by a signal before the head had its first weights; a rerun makes them anew")
        raise


def solve_head(
    model: ECGModel, data: Labelled, encoder: Path, vectors: Path | None, criterion: Criterion,
    stop: distributed.StopFlag | None = None,
) -> TrainingHistory:  # fmt: skip
    """Give a model of mode `linear` the probe for its head, and nothing besides: no rate or epoch has a say in it.

    Parameters
    ----------
    model : ECGModel
        Of mode `linear`; is changed, and in `eval()` afterwards.
    data : Labelled
    encoder, vectors : path
        As `linear_learner`.
    criterion : Criterion
    stop : StopFlag, optional
        Ends it, of which nothing is kept.

    Returns
    -------
    TrainingHistory
        Of epoch 0.

    Raises
    ------
    Stopped
        `stop` was raised.
    """
    if (records := len(data.train)) > _MOST_SOLVED:
        logger.warning(
            "linear_solver: lbfgs learns from %d of the %d train records, drawn at random; adamw takes all of them",
            _MOST_SOLVED, records,
        )  # fmt: skip
    table, made = window_vectors(model, data, encoder, vectors, stop)
    row_w = table["row"].to_numpy()
    own_stop = stop if distributed.world_size() == 1 else None
    with _stop_told():
        _solve(model, data, row_w, made, criterion, own_stop, most=_MOST_SOLVED)
    valid_w = np.isin(row_w, data.valid)
    with evaluating(model.eval().head) as device:
        outputs_wk = model.outputs(model.head(torch.from_numpy(made[valid_w]).to(device))).float().cpu().numpy()
    scores = criterion.validate(data.target[data.valid], outputs_by_record(model, row_w[valid_w], outputs_wk))
    return TrainingHistory.of_start(scores, criterion.select_by, criterion.larger_is_better)


def _solve(
    model: ECGModel, data: Labelled, row_w: np.ndarray, vectors_wd: np.ndarray, criterion: Criterion,
    stop: distributed.StopFlag | None, most: int = _MOST,
) -> None:  # fmt: skip
    """Give the head the best probe of records, by the vectors of their windows; `row_w` has the record of each."""
    train, valid = _some(data.train, most), _some(data.valid, most)
    wanted = np.isin(row_w, np.concatenate([train, valid]))
    rows = np.unique(row_w[wanted])
    x_nd = torch.from_numpy(aggregate_by_record(row_w[wanted], vectors_wd[wanted]).astype(np.float64))
    own, chosen = np.isin(rows, train), np.isin(rows, valid)
    target_nk = torch.from_numpy(data.target[rows].astype(np.float64))
    weight_kd, bias_k = best_probe(x_nd[own], target_nk[own], x_nd[chosen], target_nk[chosen], criterion, stop)
    with torch.no_grad():
        model.head.weight.copy_(weight_kd)
        model.head.bias.copy_(bias_k)


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    """All of the rows, or so many of them, drawn at random; in ascending order."""
    chosen = rows if len(rows) <= most else np.random.default_rng(0).choice(rows, most, replace=False)
    return np.sort(chosen)


def best_probe(
    x_nd: Tensor, y_nk: Tensor, valid_x_nd: Tensor, valid_y_nk: Tensor, criterion: Criterion,
    stop: distributed.StopFlag | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Weights (labels, dim) and bias (labels,) of the probe whose penalty validates best.

    Parameters
    ----------
    x_nd, valid_x_nd : Tensor of float64, shape (n, d)
    y_nk, valid_y_nk : Tensor of float64, shape (n, k)
        NaN where unknown.
    criterion : Criterion
        Its `select_by` chooses.
    stop : StopFlag, optional
        Ends it within a penalty.

    Raises
    ------
    Stopped
        `stop` was raised.
    """
    deviation_d, mean_d = torch.std_mean(x_nd, dim=0, correction=0)
    scale_d = torch.where(deviation_d > _FLAT * (1 + mean_d.abs()), 1 / deviation_d, 0.0)
    standard_nd = (x_nd - mean_d) * scale_d
    found: list[tuple[float, float, Tensor, Tensor]] = []
    start = None
    for penalty in PENALTIES:
        start = probe(standard_nd, y_nk, criterion, penalty, start, stop)
        weight_kd = start[0] * scale_d
        bias_k = start[1] - weight_kd @ mean_d
        outputs_nk = criterion.link.outputs(valid_x_nd @ weight_kd.T + bias_k).numpy()
        value = criterion.validate(valid_y_nk.numpy(), outputs_nk)[criterion.select_by]
        found.append((value, penalty, weight_kd, bias_k))
    sign = 1 if criterion.larger_is_better else -1
    value, penalty, weight_kd, bias_k = max(found, key=lambda one: -math.inf if math.isnan(one[0]) else sign * one[0])
    logger.info(
        "linear probe of the encoder as it comes: penalty %g, valid %s %.4f", penalty, criterion.select_by, value
    )
    return weight_kd, bias_k


def probe(
    x_nd: Tensor, y_nk: Tensor, criterion: Criterion, penalty: float, start: tuple[Tensor, Tensor] | None = None,
    stop: distributed.StopFlag | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Weights and bias that minimise the loss of all records together and `penalty` / 2 times the squared weights.

    From `start` on, or from zero; `BIAS_PENALTY` is that of the bias. A loss that is a mean over labels has the mean of
    the labels' penalties beside it: how many others there are is nothing to a label.
    """
    labels, dim = y_nk.shape[1], x_nd.shape[1]
    together = 1 if criterion.link.kind.exclusive else labels
    zero = torch.zeros(labels, dim, dtype=torch.float64), torch.zeros(labels, dtype=torch.float64)
    weight_kd, bias_k = (tensor.clone().requires_grad_() for tensor in start or zero)
    leave_compiler_out()
    optimizer = torch.optim.LBFGS(
        [weight_kd, bias_k], max_iter=_STEPS, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        distributed.end_if(stop)
        optimizer.zero_grad()
        ridge = penalty / 2 * weight_kd.square().sum() + BIAS_PENALTY / 2 * bias_k.square().sum()
        loss = criterion.loss(x_nd @ weight_kd.T + bias_k, y_nk) + ridge / together
        loss.backward()
        return loss

    optimizer.step(closure)
    return weight_kd.detach(), bias_k.detach()
