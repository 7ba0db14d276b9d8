"""Which frames are hidden, and which of them are compared: span masks and negatives.

Each record's are drawn from its own key (`ecglfm.models.pretraining.random`), and how many frames it hides follows
from the config and its length alone (`hidden_frames`): whatever records, forwards and ranks share the update, the task
is the same, and so are the shapes of its tensors. What the records of an update share is the rounding of the number of
spans.

Shapes: b records, t frames, m places for the hidden frames of a record (the same in all), k negatives.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from ecglfm.config import MaskConfig
from ecglfm.models.pretraining.random import integers, record_keys, substream, uniform

# What a record's numbers are for.
_STARTS, _TRIM, _NEGATIVES = 1, 2, 3

# Records of one GPU's batch in the original, and of how many such batches `hidden_frames` takes the median.
_BATCH, _BATCHES = 128, 64


def rounding_of(seed: int) -> float:
    """Uniform number by which the records of an update round their numbers of spans, all alike."""
    return float(uniform(record_keys(seed, -1, 1), 1))  # the place before the first record


def draw_spans(
    keys_b: Tensor, lengths_b: Tensor, frames: int, config: MaskConfig, *, rounding: float | Tensor
) -> Tensor:
    """Spans of hidden frames (wav2vec 2.0, arXiv:2006.11477, 3.1), before every record is brought to its number.

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
    rounding : float or Tensor of shape (batch,)
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


@lru_cache
def hidden_frames(frames: int, config: MaskConfig) -> int:
    """Frames that a record of `frames` real ones hides: what the poorest of 128 has in its spans.

    That is the original's number at its batch size: it leaves every record of a GPU's batch as many frames as its
    poorest, a number that changes with every batch and falls with its size. Here it is the median of 64 such batches,
    which are drawn once, from keys of their own: 56 of 156 at the defaults. At least 2, and one frame is left to see.
    """
    count = _BATCH * _BATCHES
    rounding_b = (torch.arange(count) // _BATCH + 0.5) / _BATCHES  # evenly, as updates do at random
    lengths_b = torch.full((count,), frames)
    spans_bt = draw_spans(record_keys(0, 0, count), lengths_b, frames, config, rounding=rounding_b)
    poorest = int(spans_bt.sum(dim=1).view(_BATCHES, _BATCH).amin(dim=1).median())
    return max(2, min(poorest, frames - 1))


def hidden_of(lengths_b: Tensor, frames: int, config: MaskConfig) -> Tensor:
    """Frames that each record hides, int64 of shape (batch,): of a shorter one the same share, at least 2."""
    hidden_b = hidden_frames(frames, config) * lengths_b // frames
    return torch.minimum(hidden_b.clamp(min=2), lengths_b - 1)


def trim_spans(keys_b: Tensor, spans_bt: Tensor, lengths_b: Tensor, hidden_b: Tensor) -> Tensor:
    """Bring each record to its number of hidden frames, at random.

    Most have more in their spans and lose some, as in wav2vec 2.0, which compares rectangular batches; the few that
    have less hide single frames beside them.

    Parameters
    ----------
    keys_b : Tensor of int64, shape (batch,)
    spans_bt : Tensor of bool, shape (batch, frames)
        From `draw_spans`.
    lengths_b, hidden_b : Tensor of int64, shape (batch,)
        Real frames of each record, and how many it hides, from `hidden_of`.

    Returns
    -------
    Tensor of bool, shape (batch, frames)
    """
    frames = spans_bt.shape[1]
    order_bt = uniform(substream(keys_b, _TRIM), frames)
    order_bt += (~spans_bt).float() + 2.0 * (torch.arange(frames) >= lengths_b[:, None])
    return _rank(order_bt) < hidden_b[:, None]


def _rank(x_bt: Tensor) -> Tensor:
    """Place of each number in its row's ascending order; of equal ones the first comes first."""
    return x_bt.argsort(dim=1, stable=True).argsort(dim=1)


def draw_negatives(keys_b: Tensor, masked: int, negatives: int, hidden_b: Tensor | None = None) -> Tensor:
    """Other hidden frames of the same record, uniformly and with replacement.

    Parameters
    ----------
    keys_b : Tensor of int64, shape (batch,)
    masked : int
        Places for the hidden frames of a record, at least 2.
    negatives : int
    hidden_b : Tensor of int64, shape (batch,), optional
        How many of them each record has, at least 2; None: all of them. The others have the record's negatives, too.

    Returns
    -------
    Tensor of int64, shape (batch, masked, negatives)
        Places among the record's hidden frames, never the frame's own; on the device of the keys.
    """
    others = masked - 1 if hidden_b is None else hidden_b[:, None] - 1
    drawn = integers(substream(keys_b, _NEGATIVES), masked * negatives, others).view(-1, masked, negatives)
    own = torch.arange(masked, device=keys_b.device)[None, :, None]
    return drawn + (drawn >= own)


def masked_positions(mask_bt: Tensor, count: int) -> Tensor:
    """Where a mask is true, among all (batch * frames); faster than the mask itself, and a GPU need not wait.

    Parameters
    ----------
    mask_bt : Tensor of bool, shape (batch, frames)
        True at `count` frames of each row, or at fewer: the first of the others then follow them.
    count : int

    Returns
    -------
    Tensor of int64, shape (batch * count,)
        Those of a row in succession, ascending.
    """
    frame_bm = mask_bt.byte().argsort(dim=1, descending=True, stable=True)[:, :count]
    first_b = torch.arange(0, mask_bt.numel(), mask_bt.shape[1], device=mask_bt.device)
    return (first_b[:, None] + frame_bm).flatten()
