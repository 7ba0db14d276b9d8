"""The noise of an update, drawn before its first forward: the same on one process or several, in one forward or four.

Each record has its own random numbers, by its place in the update; and all hide as many frames as the update's
poorest record can, so that a mean over forwards and ranks is a mean over all hidden frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ecglfm import distributed
from ecglfm.data.loading import Batch
from ecglfm.models.encoders import FrontEnd
from ecglfm.models.pretraining import (
    Noise,
    PretrainingObjective,
    draw_spans,
    most_hidden,
    record_keys,
    rounding_of,
    trim_spans,
)


def update_noise(objective: PretrainingObjective, batches: Sequence[Batch], seed: int) -> Iterator[Noise]:
    """Noise of each forward of an update; every rank must ask, at the same time and for all of it.

    Parameters
    ----------
    objective : PretrainingObjective
        In training mode for noise of the codes, too.
    batches : sequence of dict
        This rank's forwards, from `PretrainBatches`.
    seed : int
        Of the update.

    Yields
    ------
    Noise
        Drawn when it is asked for: that of the codes is large.
    """
    frontend = objective.encoder.frontend
    rounding, drawn = rounding_of(seed), []
    for forward, batch in enumerate(batches):
        records, samples = batch["signal"].shape[:2]
        keys_b = record_keys(seed, (forward * distributed.world_size() + distributed.rank()) * records, records)
        lengths_b = frame_counts(frontend, batch)
        frames = frontend.frames(samples)
        spans_bt = draw_spans(keys_b, lengths_b, frames, objective.mask_config, rounding=rounding)
        drawn.append((keys_b, lengths_b, spans_bt))
    keep = min(most_hidden(spans_bt, lengths_b) for _, lengths_b, spans_bt in drawn)
    keep = int(distributed.reduce_values([keep], "min")[0])
    real = sum(int(lengths_b.sum()) for _, lengths_b, _ in drawn) / len(drawn)
    real = distributed.reduce_values([real])[0]
    for keys_b, _, spans_bt in drawn:
        yield objective.draw_noise(keys_b, trim_spans(keys_b, spans_bt, keep), real)


def frame_counts(frontend: FrontEnd, batch: Batch) -> Tensor:
    """Real frames of each record of a batch, int64 of shape (batch,)."""
    records, samples = batch["signal"].shape[:2]
    if "valid" not in batch:
        return torch.full((records,), frontend.frames(samples))
    return torch.tensor([frontend.frames(valid) for valid in batch["valid"].tolist()])
