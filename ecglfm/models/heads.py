"""A disease model: the encoder, a pooling over frames and one logit per label.

Shapes: b batch, t frames, d encoder width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecglfm.config.fits import MODES
from ecglfm.models.baseline_hazard import BaselineHazard
from ecglfm.models.calibration import Calibration
from ecglfm.models.conformal import Conformal
from ecglfm.models.encoders import Encoder
from ecglfm.models.layers import at_least_float32
from ecglfm.models.outputs import Link, link_of
from ecglfm.models.reference import Reference


class AttentionPooling(nn.Module):
    """Weighted mean over frames, with softmax weights from one learned query.

    The query starts at zero, so that training starts at the plain mean.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(dim))

    def forward(self, x_btd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Pool (batch, frames, dim) to (batch, dim) over the frames where `mask_bt` (batch, frames) is True."""
        scores_bt = at_least_float32(x_btd @ self.query) / math.sqrt(x_btd.shape[-1])
        if mask_bt is not None:
            scores_bt = scores_bt.masked_fill(~mask_bt, torch.finfo(scores_bt.dtype).min)
        return (scores_bt.softmax(dim=1).to(x_btd.dtype)[:, None] @ x_btd)[:, 0]


class CosineHead(nn.Linear):
    """A Linear on vectors that are first given length 1, as `norm` measures it: what compares with fixed directions.

    In a space into which vectors x are projected by P, the cosine with a direction p of length 1 is (P^T p) x / |P x|,
    and |P x| = |R x| where P = QR: rows of `weight` are such P^T p, and `norm` is R, of shape (dim, dim) whatever the
    width of that space.
    """

    norm: Tensor

    def __init__(self, dim: int, labels: int) -> None:
        super().__init__(dim, labels)
        self.register_buffer("norm", torch.eye(dim))

    def forward(self, x_bd: Tensor) -> Tensor:
        """Logits (batch, labels) of vectors (batch, dim)."""
        length_b1 = (x_bd @ self.norm.T).square().sum(1, keepdim=True).sqrt()
        return super().forward(x_bd / length_b1.clamp(min=1e-12))


class ECGModel(nn.Module):
    """Encoder with a head for a list of labels.

    Parameters
    ----------
    encoder : Encoder
        Wrapped, not copied.
    label_names : sequence of str
        Meaning of the logits, in order.
    mode : {'full', 'frozen', 'linear', 'lora', 'zero_shot'}
        full: everything learns, mean over frames and Linear (as ECG-LFM);
        lora: adapters in the encoder learn (`ecglfm.models.adapters`), mean over frames and Linear;
        frozen: attention pooling and Linear on a frozen encoder;
        linear: mean over frames and Linear on a frozen encoder;
        zero_shot: mean over frames and `CosineHead`, which texts make (`ecglfm.models.text`); nothing learns.
    link : Link or str
        What the logits mean; a kind of task will do.

    Attributes
    ----------
    kind : str
        Of task, as in its YAML; `link.kind` says what that means.
    thresholds : list of float
        Calibrated probability at which each label is called present; 0.5 until chosen on the validation split. Empty
        where the outputs are no probabilities.
    calibration : Calibration or None
        Temperatures of the validation split; None: probabilities are said as they come.
    conformal : Conformal or None
        Cut-offs of prediction sets, of calibrated probabilities of the validation split.
    baselines : list of BaselineHazard or None
        Of survival, by label: how its log hazard ratios are read as probabilities. Empty of other kinds, and of a model
        from before there were any.
    reference : Reference or None
        What training recordings look like; a recording that is unlike them gets no decision.
    aggregate : str
        How the outputs of a record's windows become the record's: mean, max or median.
    info : dict
        Content of the `model.json` it was loaded from, else empty.
    """

    def __init__(
        self, encoder: Encoder, label_names: Sequence[str], mode: str, link: Link | str = "multilabel"
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.label_names = list(label_names)
        self.link = link_of(link) if isinstance(link, str) else link
        self.thresholds = [0.5] * len(self.label_names) if self.link.kind.has_classes else []
        self.calibration: Calibration | None = None
        self.conformal: Conformal | None = None
        self.baselines: list[BaselineHazard | None] = []
        self.reference: Reference | None = None
        self.aggregate = "mean"
        self.info: dict[str, Any] = {}
        self.pooling = AttentionPooling(encoder.dim) if mode == "frozen" else None
        width = encoder.dim if mode == "frozen" else encoder.embedding_dim
        self.head = (CosineHead if mode == "zero_shot" else nn.Linear)(width, len(self.label_names))
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.freeze(mode)

    @property
    def kind(self) -> str:
        """Kind of task: what `outputs` are."""
        return self.link.kind.name

    @property
    def embedding_dim(self) -> int:
        """Width of the vector that the head reads, which `embed` gives."""
        return self.head.in_features

    @property
    def slopes(self) -> list[float]:
        """Of survival, what each label's log hazard ratio is multiplied by to be read as a probability."""
        return [1.0 if one is None else one.slope for one in self.baselines or [None] * len(self.label_names)]

    def outputs(self, logits: Tensor) -> Tensor:
        """What the logits (batch, labels) say: probabilities, quantities in their units, or log hazard ratios."""
        return self.link.outputs(logits)

    def calibrated(self, outputs_nk: np.ndarray) -> np.ndarray:
        """What the model says of records, (records, labels), of their outputs: the same where it has no calibration."""
        return outputs_nk if self.calibration is None else self.calibration.apply(outputs_nk.astype(np.float64))

    def freeze(self, mode: str, freeze_frontend: bool = True) -> None:
        """Say which parameters learn.

        Parameters
        ----------
        mode : {'full', 'frozen', 'linear', 'lora', 'zero_shot'}
            But for `full` the encoder's own weights learn nothing, and it stays in `eval()`, whatever `train()` is
            called; `lora`: what adapters it has, `ecglfm.models.adapters.adapt` lets learn.
        freeze_frontend : bool
            `full` only: the convolutions and their GroupNorm stay as pretrained (the LayerNorm and Linear
            behind them learn, as in the original).

        Raises
        ------
        ValueError
            An unknown mode, or one with another pooling than the model was built with.
        """
        if mode not in MODES or (mode == "frozen") != (self.pooling is not None):
            raise ValueError(f"mode {mode!r} is not one of {MODES}, or not the one this model was built with")
        self.mode = mode
        self.encoder.requires_grad_(mode == "full")
        if mode == "full" and freeze_frontend:
            self.encoder.freeze_frontend()
        self.train(self.training)

    def train(self, mode: bool = True) -> ECGModel:
        """Switch to training; a frozen encoder stays in evaluation, dropout and BatchNorm included."""
        super().train(mode)
        if self.mode != "full":
            self.encoder.eval()
        return self

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits.

        Parameters
        ----------
        x : Tensor of float, shape (batch, leads, samples)
            As for `Encoder.forward`.
        mask : Tensor of bool, shape (batch, samples), optional
            True where a sample is real.

        Returns
        -------
        Tensor, shape (batch, labels)
        """
        return self.head(self.embed(x, mask))

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the head reads, (batch, embedding_dim): frames pooled as the mode wants; arguments as in `forward`."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.mode in ("full", "lora")):
            frames_btd, mask_bt = self.encoder.encode(x, mask)
        pool = self.encoder.pool if self.pooling is None else self.pooling
        return pool(frames_btd, mask_bt)
