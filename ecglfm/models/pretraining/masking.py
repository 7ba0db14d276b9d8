"""Which frames are hidden, and which of them are compared: span masks and negatives.

Each record's are drawn from its own key (`ecglfm.models.pretraining.random`). What the records of an update share is
the rounding of the number of spans, and the number of frames that each hides: the smallest of all, over every forward
and rank.

Shapes: b records, t frames, m hidden frames of a record (the same in all), k negatives.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ecglfm.config import MaskConfig
from ecglfm.models.pretraining.random import integers, record_keys, substream, uniform

# What a record's numbers are for.
_STARTS, _TRIM, _NEGATIVES = 1, 2, 3


def rounding_of(seed: int) -> float:
    """Uniform number by which the records of an update round their numbers of spans, all alike."""
    return float(uniform(record_keys(seed, -1, 1), 1))  # the place before the first record


def draw_spans(keys_b: Tensor, lengths_b: Tensor, frames: int, config: MaskConfig, *, rounding: float) -> Tensor:
    """Spans of hidden frames (wav2vec 2.0, arXiv:2006.11477, 3.1), before records are trimmed to the same number.

    Each record gets `probability * frames / length` spans (rounded up or down), at least `min_spans`, whose
    starts are drawn without replacement; spans may overlap.

    Parameters
    ----------
    keys_b : Tensor of int64, shape (batch,)
        On the CPU.
    lengths_b : Tensor of int64, shape (batch,)
        Real frames of each record, which come first; only they are hidden.
    frames : int
        Width of the mask.
    config : MaskConfig
        Probability, span length in frames, least number of spans.
    rounding : float
        In (0, 1), the same for all records of an update; added before rounding down.

    Returns
    -------
    Tensor of bool, shape (batch, frames)

    Raises
    ------
    ValueError
        A record has fewer than 3 real frames: nothing could be hidden, compared and left to see.
    """
    shortest = int(lengths_b.min())
    if shortest < 3:
        raise ValueError(f"a segment has {shortest} real frames; masking needs 3: leave such short records out")
    span_b = torch.minimum(torch.tensor(config.length), lengths_b - 1)
    spans_b = (config.probability * lengths_b / config.length + rounding).long().clamp(min=config.min_spans)
    starts_b = lengths_b - span_b + 1

    # Starts without replacement: the k smallest of independent uniforms.
    start_bt = uniform(substream(keys_b, _STARTS), frames)
    start_bt[torch.arange(frames) >= starts_b[:, None]] = 2.0
    is_start_bt = _rank(start_bt) < torch.minimum(spans_b, starts_b)[:, None]
    begun_bt = is_start_bt.long().cumsum(dim=1)
    before_bt = (torch.arange(frames) - span_b[:, None]).clamp(min=-1)  # the frame whose span has just ended
    ended_bt = torch.where(before_bt >= 0, begun_bt.gather(1, before_bt.clamp(min=0)), 0)
    return begun_bt > ended_bt


def most_hidden(spans_bt: Tensor, lengths_b: Tensor) -> int:
    """Largest number of frames that each of these records can hide and still leave a real one to see."""
    return min(int(spans_bt.sum(dim=1).min()), int(lengths_b.min()) - 1)


def trim_spans(keys_b: Tensor, spans_bt: Tensor, keep: int) -> Tensor:
    """Leave `keep` of each record's hidden frames, at random; as wav2vec 2.0, which compares rectangular batches.

    Parameters
    ----------
    keys_b : Tensor of int64, shape (batch,)
    spans_bt : Tensor of bool, shape (batch, frames)
        From `draw_spans`.
    keep : int
        `most_hidden` of all records of the update.

    Returns
    -------
    Tensor of bool, shape (batch, frames)
    """
    frames = spans_bt.shape[1]
    return _rank(uniform(substream(keys_b, _TRIM), frames).masked_fill(~spans_bt, 2.0)) < keep


def _rank(x_bt: Tensor) -> Tensor:
    """Place of each number in its row's ascending order; of equal ones the first comes first."""
    return x_bt.argsort(dim=1, stable=True).argsort(dim=1)


def draw_negatives(keys_b: Tensor, masked: int, negatives: int) -> Tensor:
    """Other hidden frames of the same record, uniformly and with replacement.

    Returns
    -------
    Tensor of int64, shape (batch, masked, negatives)
        Places among the record's hidden frames, never the frame's own; on the device of the keys.

    Raises
    ------
    ValueError
        There is no other hidden frame.
    """
    if masked < 2:
        raise ValueError(f"{masked} frames of each record are hidden; comparing needs 2: raise `mask`")
    drawn = integers(substream(keys_b, _NEGATIVES), masked * negatives, masked - 1).view(-1, masked, negatives)
    own = torch.arange(masked, device=keys_b.device)[None, :, None]
    return drawn + (drawn >= own)


def masked_positions(mask_bt: Tensor, count: int) -> Tensor:
    """Where a mask is true, among all (batch * frames); faster than the mask itself, and a GPU need not wait.

    Parameters
    ----------
    mask_bt : Tensor of bool, shape (batch, frames)
        True at `count` frames of each row.
    count : int

    Returns
    -------
    Tensor of int64, shape (batch * count,)
        Ascending.
    """
    frame_bm = mask_bt.byte().argsort(dim=1, descending=True, stable=True)[:, :count]
    first_b = torch.arange(0, mask_bt.numel(), mask_bt.shape[1], device=mask_bt.device)
    return (first_b[:, None] + frame_bm).flatten()
