"""The changes of `augment`, one after the other, each of some records.

Which, and by how much, follows from each record's key alone (`ecglfm.models.pretraining.random`): no rank, batch or
loader process can change it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ecglfm.config.augmentation import AugmentConfig
from ecglfm.models.augmentation.changes import KINDS
from ecglfm.models.pretraining import substream, uniform

_WHETHER, _HOW = 0, 1  # what a record's numbers for one change are for


class Augmentation:
    """Changes training segments.

    Parameters
    ----------
    config : sequence of sections
        The changes, in the order in which they are made.
    leads : sequence of str
        Of the segments, in their order.
    rate : int
        Samples a second.
    """

    def __init__(self, config: Sequence[AugmentConfig], leads: Sequence[str], rate: int) -> None:
        self._changes = [KINDS[one.kind](one, leads, rate) for one in config]

    def __call__(self, keys_b: Tensor, x_bln: Tensor, mask_bn: Tensor | None = None) -> Tensor:
        """Changed segments.

        Parameters
        ----------
        keys_b : Tensor of int64, shape (batch,)
            A key of each record's own.
        x_bln : Tensor of float32, shape (batch, leads, samples)
            Millivolts; an absent lead is zero everywhere, and no lead is masked yet.
        mask_bn : Tensor of bool, shape (batch, samples), optional
            True where a sample is real; real samples come first.

        Returns
        -------
        Tensor of float32, shape (batch, leads, samples)
            Absent leads and padding are zero, as they were. A change that needs a lead which a record lacks leaves that
            record as it is.
        """
        keys_b = keys_b.to(x_bln.device)
        present_bl = (x_bln != 0).any(dim=2)
        samples = torch.full_like(keys_b, x_bln.shape[2])
        length_b = samples if mask_bn is None else mask_bn.sum(dim=1)
        kept_bln = present_bl[..., None] if mask_bn is None else present_bl[..., None] & mask_bn[:, None]
        for number, change in enumerate(self._changes):
            own_b = substream(keys_b, number)
            chosen_b = uniform(substream(own_b, _WHETHER), 1)[:, 0] < change.config.probability
            chosen_b = chosen_b & present_bl[:, list(change.needs)].all(dim=1)
            changed_bln = change(x_bln, substream(own_b, _HOW), length_b).masked_fill(~kept_bln, 0.0)
            x_bln = torch.where(chosen_b[:, None, None], changed_bln, x_bln)
        return x_bln
