"""Hand-made signal statistics in the place of an encoder: the control that costs nothing and was trained on nothing.

Of each lead moments, quantiles, powers of bands and the mean beat, 15; of each lead and the next one the correlation;
of the record its rhythm, 9: 200 of twelve leads. There is no weight to train, so a head on them is all that is learnt.
What a linear probe of a pretrained encoder does not have beyond these, no pretraining is needed for.

Each number comes out brought near to mean 0 and deviation 1, by constants that are the same for all leads and data
(round numbers, about what PTB-XL has), and held within +-5: a head learns as on any encoder, and nothing is fitted. An
absent lead is one of 0 mV, which no working one is like.

Beats and rhythm are those of `rhythm`. All of it is convolutions, sums and sorting in float32, so that it runs in
batches, on any device and in ONNX. Whoever changes a number that comes out counts `StatisticsConfig.version` up.

Shapes: b batch, l leads, n samples, w windows, k samples of a beat, s statistics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ecglfm import gpu
from ecglfm.config import ModelConfig, PreprocessConfig, UserError
from ecglfm.models.encoders.encoder import Encoder
from ecglfm.models.encoders.rhythm import (
    BEAT,
    OF_RECORD,
    beat_and_rhythm,
    coarsening,
    parts,
    quantiles,
    windows_within,
)
from ecglfm.models.layers import at_least_float32, in_float32, without_autocast

#: Length of a window of the periodogram, s; the next one starts at its middle.
WINDOW = 2.0
#: Bands of power, Hz, the upper end not included.
BANDS = ((0.5, 3.0), (3.0, 10.0), (10.0, 25.0), (25.0, 45.0))
QUANTILES = (0.01, 0.25, 0.75, 0.99)
#: Name, centre and scale of each statistic of a lead; millivolts, decades of mV or of mV^2.
OF_LEAD = (
    ("mean", 0.0, 0.05), ("log_deviation", -0.75, 0.25),
    ("quantile_1", -0.5, 0.5), ("quantile_25", -0.06, 0.06), ("quantile_75", 0.05, 0.06), ("quantile_99", 0.6, 0.5),
    ("log_power_0.5_3", -2.3, 0.5), ("log_power_3_10", -2.1, 0.5),
    ("log_power_10_25", -2.2, 0.5), ("log_power_25_45", -3.1, 0.5),
    ("qrs_maximum", 0.6, 0.5), ("qrs_minimum", -0.5, 0.5), ("st", 0.0, 0.1),
    ("t_maximum", 0.2, 0.2), ("t_minimum", 0.0, 0.1),
)  # fmt: skip
#: Of the correlation of a lead with the next one.
OF_PAIR = ("correlation", 0.4, 0.6)
LIMIT = 5.0


def names(leads: Sequence[str]) -> list[str]:
    """What each place of a vector is, e.g. `V1.qrs_maximum`, `I-II.correlation`, `interval`."""
    of_leads = [f"{lead}.{name}" for lead in leads for name, *_ in OF_LEAD]
    pairs = [f"{one}-{other}.{OF_PAIR[0]}" for one, other in pairwise(leads)]
    return of_leads + pairs + [name for name, *_ in OF_RECORD]


class StatisticsEncoder(Encoder):
    """Statistics of a record as its one frame; parameters are those of `Encoder`.

    A padded record has exactly the numbers that it has alone: each is of real samples alone, or of windows and
    beats that lie wholly among them.

    Raises
    ------
    UserError
        `sampling_rate` is too low for the highest band.
    """

    #: What a record must have at least, s.
    window_seconds: ClassVar[float] = WINDOW

    def __init__(
        self,
        model: ModelConfig,
        leads: Sequence[str],
        sampling_rate: int,
        preprocess: PreprocessConfig,
        crop_seconds: float,
    ) -> None:
        super().__init__(model, leads, sampling_rate, preprocess, crop_seconds)
        lowest = math.ceil(2 * BANDS[-1][1])
        if sampling_rate < lowest:
            raise UserError(
                f"preprocess.sampling_rate: {sampling_rate}: `kind: statistics` looks at {lowest // 2} Hz:"
                f" at least {lowest}"
            )
        self.dim = self.numbers(len(self.leads))

    @staticmethod
    def numbers(leads: int) -> int:
        """How many statistics so many leads have."""
        return leads * len(OF_LEAD) + (leads - 1) + len(OF_RECORD)

    def frames(self, samples: int) -> int:
        """One, of whatever is as long as a window."""
        return int(samples >= round(WINDOW * self.sampling_rate))

    def encode(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The statistics as one frame, and whether it has a real sample; arguments as in `forward`."""
        vectors_bs = in_float32(lambda x_bln: self.describe(x_bln, mask)[0], x)
        if mask is None:
            return vectors_bs[:, None], None
        mask_b1 = mask.any(dim=1, keepdim=True)
        return vectors_bs.masked_fill(~mask_b1, 0.0)[:, None], mask_b1

    def describe(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The statistics, and the mean beat that some of them are of.

        Parameters
        ----------
        x, mask
            As in `forward`.

        Returns
        -------
        vectors_bs : Tensor of float32, or of the type of `x` if that has more digits, shape (batch, dim)
            Standardised.
        beat_blk : Tensor, shape (batch, leads, samples at about 100 Hz)
            mV above the isoelectric level, from 0.24 s before to 0.42 s behind the beat.
        """
        self.check_input(x, mask)
        real_bn = torch.ones_like(x[:, 0], dtype=torch.bool) if mask is None else mask
        with gpu.tf32(False) if x.is_cuda else nullcontext(), without_autocast(x):
            return self._describe(x, real_bn)

    def beat_samples(self) -> int:
        """Samples of the mean beat."""
        rate = self.sampling_rate / coarsening(self.sampling_rate)
        return round(BEAT[1] * rate) - round(BEAT[0] * rate) + 1

    def _describe(self, x_bln: Tensor, real_bn: Tensor) -> tuple[Tensor, Tensor]:
        x_bln = at_least_float32(x_bln).masked_fill(~real_bn[:, None], 0.0)
        count_b11 = real_bn.sum(1)[:, None, None].clamp(min=1)
        mean_bl1 = x_bln.sum(2, keepdim=True) / count_b11
        x_bln = (x_bln - mean_bl1).masked_fill(~real_bn[:, None], 0.0)
        variance_bl1 = x_bln.square().sum(2, keepdim=True) / count_b11
        moments_bl2 = torch.cat([mean_bl1, logarithm(variance_bl1) / 2], dim=2)
        covariance_bp = (x_bln[:, :-1] * x_bln[:, 1:]).sum(2) / count_b11[..., 0]
        both_bp = (variance_bl1[:, :-1, 0] * variance_bl1[:, 1:, 0] + 1e-12).sqrt()
        powers_blw = logarithm(band_powers(x_bln, real_bn, self.sampling_rate))
        beat_blk, rhythm_bs = beat_and_rhythm(x_bln, real_bn, self.sampling_rate)
        parts_blp = parts(beat_blk, self.sampling_rate / coarsening(self.sampling_rate))
        of_leads = torch.cat([moments_bl2, quantiles(x_bln, real_bn, QUANTILES), powers_blw, parts_blp], dim=2)
        vectors_bs = torch.cat(
            [
                standardized(of_leads, OF_LEAD).flatten(1),
                standardized((covariance_bp / both_bp)[..., None], (OF_PAIR,)).flatten(1),
                standardized(rhythm_bs, OF_RECORD),
            ],
            dim=1,
        )
        return vectors_bs, beat_blk


def standardized(x: Tensor, of: Sequence[tuple[str, float, float]]) -> Tensor:
    """Numbers of the last axis, less their centres, over their scales, within `LIMIT`."""
    centre, scale = (x.new_tensor([row[place] for row in of]) for place in (1, 2))
    return ((x - centre) / scale).clamp(-LIMIT, LIMIT)


def logarithm(power: Tensor) -> Tensor:
    """Decades of a power in mV^2; -8 of nothing at all."""
    return torch.log10(power + 1e-8)


def band_powers(x_bln: Tensor, real_bn: Tensor, rate: int) -> Tensor:
    """Mean square in each of `BANDS`, mV^2, (batch, leads, bands), by Welch's method with Hann windows.

    Welch 1967 (doi:10.1109/TAU.1967.1161901); the transform is a convolution with the sines of the bands, which knows
    no length. A sine of amplitude a in the middle of a band has a^2 / 2. Zero where no window is real.
    """
    batch, leads, _ = x_bln.shape
    length = round(WINDOW * rate)
    bins = [round(edge * WINDOW) for edge in (BANDS[0][0], *(high for _, high in BANDS))]
    phase_n = 2 * math.pi / length * torch.arange(length, device=x_bln.device, dtype=torch.float64)
    window_n = 0.5 - 0.5 * phase_n.cos()
    phase_fn = torch.arange(bins[0], bins[-1], device=x_bln.device, dtype=torch.float64)[:, None] * phase_n
    scale = math.sqrt(2 / (length * 3 / 8 * length))  # of |X|^2 to mean squares: 3/8 is the mean square of the window
    kernel_fn = (scale * window_n * torch.cat([phase_fn.cos(), phase_fn.sin()])).to(x_bln.dtype)
    hop = length // 2
    transform = functional.conv1d(x_bln.reshape(batch * leads, 1, -1), kernel_fn[:, None], stride=hop)
    power_blfw = transform.square().unflatten(0, (batch, leads)).unflatten(2, (2, -1)).sum(2)
    whole_b1w = windows_within(real_bn, length, hop)[:, None].to(x_bln.dtype)
    widths = [end - start for start, end in pairwise(bins)]
    power_blcw = torch.stack([part.sum(2) for part in power_blfw.split(widths, dim=2)], dim=2)
    mean_blc = (power_blcw * whole_b1w[:, None]).sum(3) / whole_b1w.sum(2)[:, None].clamp(min=1)
    return mean_blc
