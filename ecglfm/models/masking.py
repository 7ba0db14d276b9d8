"""Which frames are hidden, and which of them are compared: span masks and negatives.

Everything here is drawn from the generator it is given, so that a step can be drawn again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ecglfm.config import MaskConfig


def draw_span_mask(
    batch: int, frames: int, config: MaskConfig, generator: torch.Generator, *, real_bt: Tensor | None = None
) -> Tensor:
    """Spans of hidden frames, the same number of frames in every record (wav2vec 2.0, arXiv:2006.11477, 3.1).

    Each record gets `probability * frames / length` spans (rounded up or down at random, once per batch),
    at least `min_spans`, whose starts are drawn without replacement; spans may overlap. Every record is
    then trimmed, at random, to the smallest number of hidden frames in the batch.

    Parameters
    ----------
    batch, frames : int
        Shape of the mask.
    config : MaskConfig
        Probability, span length in frames, least number of spans.
    generator : torch.Generator
        On the CPU.
    real_bt : Tensor of bool, shape (batch, frames), optional
        True at real frames, which come first in each record; only they are hidden.

    Returns
    -------
    Tensor of bool, shape (batch, frames)

    Raises
    ------
    ValueError
        A record has fewer than 3 real frames: nothing could be hidden, compared and left to see.
    """
    lengths_b = torch.full((batch,), frames) if real_bt is None else real_bt.sum(dim=1).cpu()
    shortest = int(lengths_b.min())
    if shortest < 3:
        raise ValueError(f"a segment has {shortest} real frames; masking needs 3: leave such short records out")
    rounding = torch.rand((), generator=generator)
    span_b = torch.minimum(torch.tensor(config.length), lengths_b - 1)
    spans_b = (config.probability * lengths_b / config.length + rounding).long().clamp(min=config.min_spans)
    starts_b = lengths_b - span_b + 1

    # Starts without replacement: the k smallest of independent uniforms.
    start_bt = torch.rand((batch, frames), generator=generator)
    start_bt[torch.arange(frames) >= starts_b[:, None]] = 2.0
    is_start_bt = start_bt.argsort(dim=1).argsort(dim=1) < torch.minimum(spans_b, starts_b)[:, None]
    begun_bt = is_start_bt.long().cumsum(dim=1)
    before_bt = (torch.arange(frames) - span_b[:, None]).clamp(min=-1)  # the frame whose span has just ended
    ended_bt = torch.where(before_bt >= 0, begun_bt.gather(1, before_bt.clamp(min=0)), 0)
    hidden_bt = begun_bt > ended_bt

    # Leave a real frame to see, then keep the same number everywhere, at random.
    keep = min(int(hidden_bt.sum(dim=1).min()), shortest - 1)
    rank_bt = torch.rand((batch, frames), generator=generator).masked_fill(~hidden_bt, 2.0)
    return rank_bt.argsort(dim=1).argsort(dim=1) < keep


def draw_negatives(batch: int, masked: int, negatives: int, generator: torch.Generator) -> Tensor:
    """Other hidden frames of the same record, uniformly and with replacement.

    Returns
    -------
    Tensor of int64, shape (batch, masked, negatives)
        Places among the record's hidden frames, never the frame's own.
    """
    device = generator.device
    drawn = torch.randint(masked - 1, (batch, masked, negatives), generator=generator, device=device)
    own = torch.arange(masked, device=device)[None, :, None]
    return drawn + (drawn >= own)
