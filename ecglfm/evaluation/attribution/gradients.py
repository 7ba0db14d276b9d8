"""Integrated gradients of a recording, with their sum held to what they have to explain, and occlusion by lead.

Sundararajan, Taly and Yan 2017 (arXiv:1703.01365), by captum: along the straight path from a flat line to the
recording, gradient times change, integrated. The sum over samples and leads is the score minus that of the flat line
(completeness). Most encoders normalise their input: along most of the path nothing changes, and everything does near
its beginning, so equal steps do not add up however many they are. Here the path is cut in two where the sum is worst,
again and again, until it is right; captum integrates each piece, which is a path of its own. Where a piece too narrow
to be cut still has the error, the model jumps there, no cut helps, and it is said at once.

An encoder that standardises its input (`model.standardize`) reads the same at every point of that path and jumps at
its beginning. Its layers behind that are what is explained, along the path from zero, which is what they read of a flat
line, to the standardised recording, sample by sample the same places. The axioms are of any function and its input
(their section 2; for layers within a network Leino et al. 2018, arXiv:1802.03788, section 2, and captum's
LayerIntegratedGradients), and the sum is still the score minus that of a flat line.

Shapes: n samples, l leads, w windows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ecglfm.config import UserError
from ecglfm.data.samples import Held, cut_windows, padded
from ecglfm.data.signals import as_read
from ecglfm.evaluation.attribution.score import Score
from ecglfm.models.encoders import Encoder
from ecglfm.models.heads import ECGModel
from ecglfm.training.inference import model_input

#: Error of the sum, as a share of what is to be explained, up to which an attribution is given.
TOLERANCE = 0.02
_NODES = 4  # of Gauss-Legendre in a piece of the path
_FIRST = (0.0, 0.125, 0.25, 0.5, 1.0)
_MOST_PIECES = 256
_NEAREST = 1e-6  # to the beginning of the path: a piece that ends before is cut no more
_NARROWEST = 1e-4  # of where it ends: nor is one of this length, a thousand times what float32 tells apart
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
    model: ECGModel, signal_uv: np.ndarray, label: int, *, occlude: bool = True, tolerance: float = TOLERANCE,
    seconds: float | None = None,
) -> Attribution:  # fmt: skip
    """Integrated gradients and occlusion of one recording and label.

    Of a recording of several windows the score is their mean, or that of the window that the model's aggregate chooses
    (`max`, `median`): each window is explained by itself.

    Parameters
    ----------
    model : ECGModel
    signal_uv : ndarray of int16, shape (samples, leads)
        As `prepare` gives it.
    label : int
        Place in `label_names`.
    occlude : bool
        Whether `occlusion` is wanted; NaN otherwise.
    tolerance : float
        Largest `error`.
    seconds : float, optional
        What comes after so many is not looked at.

    Returns
    -------
    Attribution
        Of what the encoder reads, at its rate: of one with `input` that is made of the signal, and so is the flat line.

    Raises
    ------
    UserError
        The error stays above `tolerance`: said as soon as the model is seen to jump on the path.
    """
    samples, parts = _windows(model.encoder, signal_uv, seconds)
    values = np.zeros((samples, len(model.encoder.leads)))
    occlusion = np.zeros(values.shape[1])
    steps = 0
    with _explaining(model) as device:
        scored = Score(model, label)
        parts = [part.on(device) for part in parts]
        scores, flats = _ends(scored, parts)
        weights = _weights(scores, model.aggregate)
        score, flat = (float(np.dot(weights, numbers)) for numbers in (scores, flats))
        whole = max(abs(score - flat), _SMALLEST * scored.unit)
        for place, weight in enumerate(weights):
            if not weight:
                continue
            part = parts[place]
            allowed = 0.5 * tolerance * max(abs(scores[place] - flats[place]), _SMALLEST * scored.unit)
            found, taken, jump = _integrate(scored, part, allowed, tolerance * whole / weight)
            steps += taken
            if jump > tolerance * whole / weight:
                raise _unexplained(f"at least {100 * jump * weight / whole:.1f}", steps, tolerance)
            values[part.start : part.start + part.valid] += weight * found[: part.valid]
            occlusion += weight * _occlusion(scored, part) if occlude else np.nan
    error = abs(values.sum() - (score - flat)) / whole
    if not error <= tolerance:
        raise _unexplained(f"{100 * error:.1f}", steps, tolerance)
    return Attribution(values, occlusion, score, flat, error, steps)


def _unexplained(percent: str, steps: int, tolerance: float) -> UserError:
    return UserError(
        f"integrated gradients do not add up to the answer: {percent} % of it are missing after {steps} "
        f"steps, {100 * tolerance:g} % are allowed; the model changes too abruptly between a flat line and this "
        "recording to be explained so"
    )


@contextmanager
def _explaining(model: nn.Module) -> Iterator[torch.device]:
    """Eval mode, and no gradients of weights; every submodule's own mode and every weight's are restored."""
    modes = [(part, part.training) for part in model.modules()]
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    model.eval().requires_grad_(False)
    try:
        yield next(model.parameters()).device
    finally:
        for part, mode in modes:
            part.training = mode
        for weight in learning:
            weight.requires_grad_(True)


def _weights(scores: list[float], aggregate: str) -> list[float]:
    """How much each window counts."""
    count = len(scores)
    if aggregate == "mean":
        return [1.0 / count] * count
    order = np.argsort(scores, kind="stable")
    chosen = order[-1:] if aggregate == "max" else order[(count - 1) // 2 : count // 2 + 1]
    return [1.0 / len(chosen) if place in chosen else 0.0 for place in range(count)]


class _Window(NamedTuple):
    """A window as the encoder reads it: its place and real samples, `x` and `mask`, and the same of a flat line."""

    start: int
    valid: int
    x: Tensor
    mask: Tensor | None
    flat: Tensor

    def on(self, device: torch.device) -> _Window:
        mask = None if self.mask is None else self.mask.to(device)
        return self._replace(x=self.x.to(device), mask=mask, flat=self.flat.to(device))


def _windows(encoder: Encoder, signal_uv: np.ndarray, seconds: float | None) -> tuple[int, list[_Window]]:
    """Samples of a recording as an encoder reads them that are looked at, and its windows of them."""
    read = as_read(Held([signal_uv, np.zeros_like(signal_uv)]), encoder)
    samples, length = int(read.n_samples[0]), encoder.crop_samples
    if seconds is not None:
        samples = min(samples, round(seconds * encoder.sampling_rate))
    places = cut_windows(np.array([samples], np.int64), length)[["start", "valid"]].to_numpy().tolist()
    # One recording behind the other: each is made what the encoder reads once, not again for every window.
    made, flat = ([read.views(np.array([row]), np.array([start]), n)[0] for start, n in places] for row in range(2))
    parts = []
    for (start, valid), *pieces in zip(places, made, flat, strict=True):
        both, mask = model_input(padded(pieces, length), np.full(2, valid))
        parts.append(_Window(start, valid, both[:1], None if mask is None else mask[:1], both[1:]))
    return samples, parts


def _ends(scored: Score, parts: Sequence[_Window]) -> tuple[list[float], list[float]]:
    """Scores of windows, and of flat lines of their length."""
    with torch.no_grad():
        scores = [float(scored(part.x, part.mask)) for part in parts]
        return scores, [float(scored(part.flat, part.mask)) for part in parts]


class _Piece(NamedTuple):
    """From `low` to `high` of the path, what captum finds there, and by how much that does not add up."""

    error: float
    low: float
    high: float
    found: Tensor

    @property
    def jumps(self) -> bool:
        """Whether no cut would make the error smaller."""
        return self.high <= _NEAREST if self.low == 0.0 else self.high - self.low <= _NARROWEST * self.high


def _integrate(scored: Score, window: _Window, allowed: float, hopeless: float) -> tuple[np.ndarray, int, float]:
    """Attribution (n, l) of one window, the gradients taken, and the error of jumps.

    The path is cut until the error is `allowed`, or that of jumps is above `hopeless`.
    """
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(scored.of_standardized)
    with torch.no_grad():
        end, begin = (scored.model.encoder.standardized(x, window.mask) for x in (window.x, window.flat))

    @cache
    def at(share: float) -> tuple[Tensor, float]:
        point = begin + (end - begin) * share
        with torch.no_grad():
            return point, float(scored.of_standardized(point, window.mask))

    def piece(low: float, high: float) -> _Piece:
        (from_, lower), (to, higher) = at(low), at(high)
        found = method.attribute(
            to, from_, additional_forward_args=(window.mask,), n_steps=_NODES, method="gausslegendre"
        ).detach().double()  # fmt: skip
        return _Piece(abs(float(found.sum()) - (higher - lower)), low, high, found)

    pieces = [piece(low, high) for low, high in itertools.pairwise(_FIRST)]
    taken, jump = len(pieces), 0.0
    while sum(one.error for one in pieces) > allowed and jump <= hopeless and len(pieces) < _MOST_PIECES:
        smooth = [place for place, one in enumerate(pieces) if not one.jumps]
        if not smooth:
            break
        worst = pieces.pop(max(smooth, key=lambda place: pieces[place].error))
        middle = worst.high / 8 if worst.low == 0.0 else (worst.low + worst.high) / 2
        pieces += [piece(worst.low, middle), piece(middle, worst.high)]
        taken += 2
        jump = sum(one.error for one in pieces if one.jumps)
    total = torch.stack([one.found for one in pieces]).sum(dim=0)
    return total[0].T.cpu().numpy(), taken * _NODES, jump


def _occlusion(scored: Score, window: _Window) -> np.ndarray:
    """Score minus that without each lead, (l,)."""
    from captum.attr import FeatureAblation

    x = window.x
    leads = torch.arange(x.shape[1], device=x.device)[None, :, None].expand(1, -1, x.shape[2])
    with torch.no_grad():
        found = FeatureAblation(scored).attribute(
            x, baselines=window.flat, feature_mask=leads, additional_forward_args=(window.mask,),
            perturbations_per_eval=x.shape[1],
        )  # fmt: skip
    lost: np.ndarray = found[0, :, 0].double().cpu().numpy()
    return lost
