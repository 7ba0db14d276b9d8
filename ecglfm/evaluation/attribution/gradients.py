"""Integrated gradients of a recording, with their sum held to what they have to explain, and occlusion by lead.

Sundararajan, Taly and Yan 2017 (arXiv:1703.01365), by captum: along the straight path from a flat line to the
recording, gradient times change, integrated. The sum over samples and leads is the score minus that of the flat line
(completeness). Most encoders normalise their input: along most of the path nothing changes, and everything does near
its beginning, so equal steps do not add up however many they are. Here the path is cut in two where the sum is worst,
again and again, until it is right; captum integrates each piece, which is a path of its own.

Shapes: n samples, l leads, w windows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ecglfm.config import UserError
from ecglfm.data.samples import cut_windows, padded
from ecglfm.evaluation.attribution.score import Score
from ecglfm.models.heads import ECGModel
from ecglfm.training.inference import model_input

#: Error of the sum, as a share of what is to be explained, up to which an attribution is given.
TOLERANCE = 0.02
_NODES = 4  # of Gauss-Legendre in a piece of the path
_FIRST = (0.0, 0.125, 0.25, 0.5, 1.0)
_MOST_PIECES = 256
_SMALLEST = 0.05  # units of the score: a smaller difference is measured against this


@dataclass(frozen=True)
class Attribution:
    """What each sample adds to a score.

    Attributes
    ----------
    values : ndarray of float64, shape (n, l)
        In units of the score, zero in samples that no window has.
    occlusion : ndarray of float64, shape (l,)
        How much lower the score is when the lead is a flat line, as one that was not recorded is.
    score, flat : float
        Of the recording, and of a flat line of its length.
    error : float
        |sum of `values` - (`score` - `flat`)|, as a share of that difference.
    steps : int
        Gradients that were taken.
    """

    values: np.ndarray
    occlusion: np.ndarray
    score: float
    flat: float
    error: float
    steps: int


def attribute(
    model: ECGModel, signal_uv: np.ndarray, label: int, *, occlude: bool = True, tolerance: float = TOLERANCE
) -> Attribution:
    """Integrated gradients and occlusion of one recording and label.

    Of a recording of several windows the score is their mean, or that of the window that the model's aggregate chooses
    (`max`, `median`): each window is explained by itself.

    Parameters
    ----------
    model : ECGModel
    signal_uv : ndarray of int16, shape (n, l)
        As `prepare` gives it.
    label : int
        Place in `label_names`.
    occlude : bool
        Whether `occlusion` is wanted; NaN otherwise.
    tolerance : float
        Largest `error`.

    Raises
    ------
    UserError
        The error stays above `tolerance`.
    """
    length = model.encoder.crop_samples
    windows = cut_windows(np.array([len(signal_uv)], np.int64), length)
    values = np.zeros(signal_uv.shape)
    occlusion = np.zeros(signal_uv.shape[1])
    score = flat = 0.0
    steps = 0
    with _explaining(model) as device:
        scored = Score(model, label)
        parts = []
        for start, valid in zip(windows["start"], windows["valid"], strict=True):
            x, mask = model_input(padded([signal_uv[start : start + length]], length), np.array([valid]))
            parts.append((int(start), int(valid), x.to(device), None if mask is None else mask.to(device)))
        with torch.no_grad():
            scores = [float(scored(x, mask)) for _, _, x, mask in parts]
        for weight, one, (start, valid, x, mask) in zip(_weights(scores, model.aggregate), scores, parts, strict=True):
            if not weight:
                continue
            found, base, taken = _integrate(scored, x, mask, one, tolerance)
            values[start : start + valid] += weight * found[:valid]
            score, flat, steps = score + weight * one, flat + weight * base, steps + taken
            occlusion += weight * _occlusion(scored, x, mask) if occlude else np.nan
    smallest = _SMALLEST * scored.unit
    error = abs(values.sum() - (score - flat)) / max(abs(score - flat), smallest)
    if not error <= tolerance:
        raise UserError(
            f"integrated gradients do not add up to the answer: {100 * error:.1f} % of it are missing after {steps} "
            f"steps, {100 * tolerance:g} % are allowed; the model changes too abruptly between a flat line and this "
            "recording to be explained so"
        )
    return Attribution(values, occlusion, score, flat, error, steps)


@contextmanager
def _explaining(model: nn.Module) -> Iterator[torch.device]:
    """Eval mode; every submodule's own mode is restored."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield next(model.parameters()).device
    finally:
        for part, mode in modes:
            part.training = mode


def _weights(scores: list[float], aggregate: str) -> list[float]:
    """How much each window counts."""
    count = len(scores)
    if aggregate == "mean":
        return [1.0 / count] * count
    order = np.argsort(scores, kind="stable")
    chosen = order[-1:] if aggregate == "max" else order[(count - 1) // 2 : count // 2 + 1]
    return [1.0 / len(chosen) if place in chosen else 0.0 for place in range(count)]


def _integrate(
    scored: Score, x: Tensor, mask: Tensor | None, score: float, tolerance: float
) -> tuple[np.ndarray, float, int]:
    """Attribution (n, l) of one window, the score of a flat line, and the gradients taken."""
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(scored)

    def piece(low: float, high: float) -> tuple[float, float, float, Tensor]:
        found, delta = method.attribute(
            x * high, x * low, additional_forward_args=(mask,), n_steps=_NODES, method="gausslegendre",
            return_convergence_delta=True,
        )  # fmt: skip
        return abs(float(delta)), low, high, found.detach().double()

    with torch.no_grad():
        flat = float(scored(torch.zeros_like(x), mask))
    allowed = 0.5 * tolerance * max(abs(score - flat), _SMALLEST * scored.unit)
    pieces = [piece(low, high) for low, high in itertools.pairwise(_FIRST)]
    taken = len(pieces)
    while sum(error for error, *_ in pieces) > allowed and len(pieces) < _MOST_PIECES:
        worst = max(range(len(pieces)), key=lambda place: pieces[place][0])
        _, low, high, _ = pieces.pop(worst)
        middle = high / 8 if low == 0.0 else (low + high) / 2
        pieces += [piece(low, middle), piece(middle, high)]
        taken += 2
    total = torch.stack([found for *_, found in pieces]).sum(dim=0)
    return total[0].T.cpu().numpy(), flat, taken * _NODES


def _occlusion(scored: Score, x: Tensor, mask: Tensor | None) -> np.ndarray:
    """Score minus that without each lead, (l,)."""
    from captum.attr import FeatureAblation

    leads = torch.arange(x.shape[1], device=x.device)[None, :, None].expand(1, -1, x.shape[2])
    with torch.no_grad():
        found = FeatureAblation(scored).attribute(
            x, baselines=0.0, feature_mask=leads, additional_forward_args=(mask,), perturbations_per_eval=x.shape[1]
        )
    lost: np.ndarray = found[0, :, 0].double().cpu().numpy()
    return lost
