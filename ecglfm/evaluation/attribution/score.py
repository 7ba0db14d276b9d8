"""The number that is explained: not the probability, whose slope vanishes where a model is sure, but its log odds.

Shapes: b batch, l leads, n samples, k labels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecglfm.models.heads import ECGModel


class Score(nn.Module):
    """One number per recording of one label of a model.

    Of labels that are there or not: the logit, which is the log odds. Of classes of which a recording has exactly one:
    the log odds of the class, its logit minus the log-sum-exp of the others', since softmax leaves the logits' own
    level open. Of a number: the number in its unit; of survival: the log hazard ratio. Temperatures are left out: they
    scale all alike.

    Parameters
    ----------
    model : ECGModel
    label : int
        Place in `label_names`.
    """

    def __init__(self, model: ECGModel, label: int) -> None:
        super().__init__()
        self.model, self.label = model, label

    @property
    def meaning(self) -> str:
        """What the number is."""
        kind = self.model.link.kind
        if kind.has_classes:
            return "log odds"
        return "number in its unit" if kind.standardized else "log hazard ratio"

    @property
    def unit(self) -> float:
        """How large a number is that counts: 1, or the deviation of the training targets."""
        return float(self.model.link.scale[self.label]) if self.model.link.kind.standardized else 1.0

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Numbers, (b,), of millivolts (b, l, n) and a mask of real samples (b, n).

        As `ECGModel.forward`, with gradients through an encoder that learns nothing, too.
        """
        return self._of_frames(*self.model.encoder.encode(x, mask))

    def of_standardized(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """`forward` of what `model.encoder.standardized` gave."""
        return self._of_frames(*self.model.encoder.encode_standardized(x, mask))

    def _of_frames(self, frames_btd: Tensor, mask_bt: Tensor | None) -> Tensor:
        model = self.model
        pool = model.encoder.pool if model.pooling is None else model.pooling
        logits_bk = model.head(pool(frames_btd, mask_bt)).float()
        kind = model.link.kind
        if not kind.has_classes:
            return model.link.outputs(logits_bk)[:, self.label]
        logit_b = logits_bk[:, self.label]
        if not kind.exclusive:
            return logit_b
        others = torch.arange(logits_bk.shape[1], device=logits_bk.device) != self.label
        return logit_b - logits_bk[:, others].logsumexp(dim=1)
