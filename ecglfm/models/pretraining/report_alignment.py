"""Recordings and their reports in one space (CLIP, arXiv:2103.00020; of ECGs: MERL, arXiv:2403.06659).

A recording has to stand nearer to its own report than to those of the other recordings of the update, and the report
nearer to it than to theirs. Reports repeat ("Sinus rhythm"): recordings whose report is the same, word for word, are
no negatives of each other, and each counts once; so the loss can reach 0. One without a report takes no part.

All ranks' embeddings are gathered, so the loss is that of one process with the whole batch.

Shapes: b recordings of a forward, n of all ranks, d encoder width, w width of texts, p width of the common space.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from ecglfm.config import PretrainConfig, ReportAlignmentConfig, UserError
from ecglfm.models.encoders import Encoder
from ecglfm.models.layers import at_least_float32, gather_rows, scores
from ecglfm.models.pretraining.objective import Objective
from ecglfm.models.text import Alignment, text_encoder

_COLLAPSED = 1e-3  # share of the embeddings that differs between recordings; new weights have more than that


class Said(NamedTuple):
    """What was said of the recordings of a forward.

    Attributes
    ----------
    rows_b : Tensor of int64, shape (b,)
        Number of the text; -1 where there is none.
    vectors_bw : Tensor of float32, shape (b, w)
        Its vector; zeros where there is none.
    """

    rows_b: Tensor
    vectors_bw: Tensor


class ReportAlignment(Objective):
    """The encoder, and a projection of each side into the common space.

    Parameters
    ----------
    encoder : ECGEncoder
        Wrapped, not copied.
    config : PretrainConfig
        Of `objective: {kind: report_alignment}`.

    Raises
    ------
    UserError
        The text encoder cannot be used; or `ema`, which averages the encoder alone, not what it is projected by.
    """

    columns: ClassVar[tuple[str, ...]] = ("accuracy", "temperature", "reports", "spread")

    def __init__(self, encoder: Encoder, config: PretrainConfig) -> None:
        super().__init__(encoder, config)
        said = config.objective
        assert isinstance(said, ReportAlignmentConfig)
        if config.ema is not None:
            raise UserError("pretrain.ema averages the encoder and not its projection beside the texts; leave it out")
        self.text_dim = text_encoder(said.text_encoder).dim
        self.alignment = Alignment(
            encoder.dim, self.text_dim, said.dim, temperature=said.temperature, learnt=said.learn_temperature
        )

    def draw(self, batches: Sequence[Mapping[str, Tensor]], seed: int, prepared: Any) -> Iterator[Said]:
        """The reports, which come with the batch: `report` and `report_vector`; nothing is drawn."""
        device = self.alignment.log_scale.device
        for batch in batches:
            if "report" in batch:
                rows_b, vectors_bw = batch["report"], batch["report_vector"]
            else:  # a trial without data
                records = len(batch["signal"])
                rows_b, vectors_bw = torch.full((records,), -1), torch.zeros(records, self.text_dim)
            yield Said(rows_b.to(device, non_blocking=True), vectors_bw.to(device, non_blocking=True))

    def forward(self, x: Tensor, *, step: int, noise: Said, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Loss of one batch.

        Parameters
        ----------
        x : Tensor of float, shape (2 pairs, leads, samples)
            Millivolts.
        step : int
            Has no part in it.
        noise : Said
        mask : Tensor of bool, shape (2 pairs, samples), optional

        Returns
        -------
        dict of str to Tensor of shape ()
            `loss`, nats; `accuracy`, share of recordings with a report to which none is nearer than their own;
            `temperature`; `reports`, share of recordings with one; `spread`, 1 - squared length of the mean embedding.
        """
        del step
        vectors_bd = at_least_float32(self.encoder.embed(x, mask))
        with torch.autocast(x.device.type, enabled=False):
            ecg_bp, text_bp, scale = self.alignment(vectors_bd, noise.vectors_bw.to(vectors_bd))
            ecg_np, text_np, rows_n = (gather_rows(part) for part in (ecg_bp, text_bp, noise.rows_b))
            loss, accuracy = contrast(ecg_np, text_np, rows_n, scale)
        return {
            "loss": loss,
            "accuracy": accuracy,
            "temperature": 1 / scale.detach(),
            "reports": (rows_n >= 0).to(loss).mean(),
            "spread": 1 - ecg_np.detach().mean(0).square().sum(),
        }

    def warnings(self, row: Mapping[str, float]) -> dict[str, str | None]:
        """Recordings that all lie at one place."""
        collapse = None
        if row["spread"] < _COLLAPSED:
            collapse = f"all recordings lie at one place of the common space (spread {row['spread']:.1e}); lower `lr`"
        return {"alignment_collapse": collapse}


def contrast(ecg_np: Tensor, text_np: Tensor, rows_n: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE of pairs, without negatives that say the same.

    Parameters
    ----------
    ecg_np, text_np : Tensor, shape (n, p)
        Embeddings of length 1, of recordings and of their reports.
    rows_n : Tensor of int64, shape (n,)
        Which text; -1: none, the pair has no part in anything.
    scale : Tensor, shape ()
        Cosines are multiplied by it.

    Returns
    -------
    loss : Tensor, shape ()
        Mean over pairs and over both directions, nats; 0 where there is none.
    accuracy : Tensor, shape ()
        Share of recordings to which no other text is nearer than their own.
    """
    has_n = rows_n >= 0
    logits_nn = scale * scores(ecg_np, text_np.T)  # rows are recordings, columns texts
    own_n = logits_nn.diagonal()
    own_nn = torch.eye(len(rows_n), dtype=torch.bool, device=rows_n.device)
    against_nn = own_nn | ((rows_n[:, None] != rows_n) & has_n)
    lowest = torch.finfo(logits_nn.dtype).min
    by_ecg_n = logits_nn.masked_fill(~against_nn, lowest).logsumexp(1) - own_n
    against_nn = own_nn | ((rows_n[:, None] != rows_n) & has_n[:, None])
    by_text_n = logits_nn.masked_fill(~against_nn, lowest).logsumexp(0) - own_n
    count = has_n.sum().clamp(min=1)
    loss = (torch.where(has_n, by_ecg_n + by_text_n, 0.0) / 2).sum() / count
    others_nn = logits_nn.detach().masked_fill((rows_n[:, None] == rows_n) | ~has_n, lowest)
    accuracy = (has_n & (own_n.detach() > others_nn.amax(1))).sum() / count
    return loss, accuracy
