"""A head that begins as a linear probe, so that what is pretrained is not bent to a random one (arXiv:2202.10054).

Logistic regression and its like on the vectors of the encoder as it comes: convex, so it has one answer, and nothing of
it need be saved. Vectors are standardised for it; the penalty on its weights is chosen on the validation split.

Shapes: n records, d width of a vector, k labels.
"""

from __future__ import annotations

import logging
import math

import numpy as np
import torch
from torch import Tensor

from ecglfm import distributed
from ecglfm.models.heads import ECGModel
from ecglfm.training.finetuning.criterion import Criterion
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.inference import aggregate_by_record
from ecglfm.training.vectors import embed_windows

logger = logging.getLogger(__name__)

#: Of half the squared weights, beside the mean loss over records and labels; the best one is taken.
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
_STEPS = 500  # of L-BFGS; a hundred usually do
_FLAT = 1e-6  # deviation of a vector's number that never changes: it says nothing


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
    table = data.signals.windows(model.encoder.crop_samples)
    table = table[table["row"].isin([*data.train, *data.valid])]
    own_stop = stop if distributed.world_size() == 1 else None  # ranks would not stop at the same window
    vectors = embed_windows(model.encoder, data.signals, table, stop=own_stop)
    rows = np.unique(table["row"])
    x_nd = torch.from_numpy(aggregate_by_record(table["row"].to_numpy(), vectors).astype(np.float64))
    y_nk = torch.from_numpy(data.target[rows].astype(np.float64))
    train, valid = (torch.from_numpy(np.isin(rows, part)) for part in (data.train, data.valid))
    weight_kd, bias_k = best_probe(x_nd[train], y_nk[train], x_nd[valid], y_nk[valid], criterion)
    with torch.no_grad():
        model.head.weight.copy_(weight_kd)
        model.head.bias.copy_(bias_k)


def best_probe(
    x_nd: Tensor, y_nk: Tensor, valid_x_nd: Tensor, valid_y_nk: Tensor, criterion: Criterion
) -> tuple[Tensor, Tensor]:
    """Weights (labels, dim) and bias (labels,) of the probe whose penalty validates best.

    Parameters
    ----------
    x_nd, valid_x_nd : Tensor of float64, shape (n, d)
    y_nk, valid_y_nk : Tensor of float64, shape (n, k)
        NaN where unknown.
    criterion : Criterion
        Its `select_by` chooses.
    """
    deviation_d, mean_d = torch.std_mean(x_nd, dim=0, correction=0)
    scale_d = torch.where(deviation_d > _FLAT, 1 / deviation_d.clamp(min=_FLAT), 0.0)
    best, kept, sign = -math.inf, None, 1 if criterion.larger_is_better else -1
    for penalty in PENALTIES:
        weight_kd, bias_k = probe((x_nd - mean_d) * scale_d, y_nk, criterion, penalty)
        weight_kd = weight_kd * scale_d
        bias_k = bias_k - weight_kd @ mean_d
        outputs_nk = criterion.link.outputs(valid_x_nd @ weight_kd.T + bias_k).numpy()
        value = criterion.validate(valid_y_nk.numpy(), outputs_nk)[criterion.select_by]
        if kept is None or sign * value > best:
            best, kept, chosen = sign * value, (weight_kd, bias_k), (penalty, value)
    assert kept is not None
    logger.info(
        "the head begins as a linear probe: penalty %g, validation %s %.4f", chosen[0], criterion.select_by, chosen[1]
    )
    return kept


def probe(x_nd: Tensor, y_nk: Tensor, criterion: Criterion, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights and bias that minimise the loss of all records together and `penalty` / 2 times the squared weights."""
    weight_kd = torch.zeros(y_nk.shape[1], x_nd.shape[1], dtype=torch.float64, requires_grad=True)
    bias_k = torch.zeros(y_nk.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight_kd, bias_k], max_iter=_STEPS, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = criterion.loss(x_nd @ weight_kd.T + bias_k, y_nk) + penalty / 2 * weight_kd.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weight_kd.detach(), bias_k.detach()
