"""Hand-made signal statistics in the place of an encoder: the control that costs nothing and was trained on nothing.

Of each lead moments, quantiles, powers of bands and the mean beat, 15; of each lead and the next one the correlation;
of the record its rhythm, 9: 200 of twelve leads. There is no weight to train, so a head on them is all that is learnt.
What a linear probe of a pretrained encoder does not have beyond these, no pretraining is needed for.

Each number comes out brought near to mean 0 and deviation 1, by constants that are the same for all leads and data
(round numbers, about what PTB-XL has), and held within +-5: a head learns as on any encoder, and nothing is fitted. An
absent lead is one of 0 mV, which no working one is like.

Beats are maxima of the slope of all leads together, at 100 Hz; who wants delineation takes a delineator. All of it is
convolutions, sums and sorting in float32, so that it runs in batches, on any device and in ONNX. Whoever changes a
number that comes out counts `StatisticsConfig.version` up.

Shapes: b batch, l leads, n samples, t samples at about 100 Hz, w windows, k lags or offsets, s statistics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ecglfm.config import ModelConfig, PreprocessConfig, UserError
from ecglfm.models.encoders.encoder import Encoder
from ecglfm.models.layers import at_least_float32, exporting, in_float32, without_autocast

#: Hz in which beats and lags are told; as near to it as whole samples allow.
COARSE = 100
#: Length of a window of the periodogram, s; the next one starts at its middle.
WINDOW = 2.0
#: Bands of power, Hz, the upper end not included.
BANDS = ((0.5, 3.0), (3.0, 10.0), (10.0, 25.0), (25.0, 45.0))
QUANTILES = (0.01, 0.25, 0.75, 0.99)
#: Lags among which the period is looked for, s: 30 to 200 beats a minute.
LAGS = (0.3, 2.0)
#: What is looked at around a beat, s from it, and what of it.
BEAT = (-0.24, 0.42)
PARTS = {"isoelectric": (-0.12, -0.06), "qrs": (-0.06, 0.06), "st": (0.08, 0.12), "t": (0.14, 0.4)}

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
#: Of the record: beats a second, seconds, shares of the mean interval, a correlation, seconds.
OF_RECORD = (
    ("beats_per_second", 1.2, 0.3), ("interval", 0.85, 0.2), ("interval_deviation", 0.03, 0.05),
    ("interval_successive", 0.04, 0.05), ("interval_minimum", 0.95, 0.05), ("interval_maximum", 1.05, 0.05),
    ("period", 0.9, 0.3), ("periodicity", 0.4, 0.2), ("qrs_width", 0.1, 0.01),
)  # fmt: skip
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
        with without_autocast(x):
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


def quantiles(x_bln: Tensor, real_bn: Tensor, at: Sequence[float]) -> Tensor:
    """Quantiles of the real samples, (batch, leads, quantiles); between two samples by a line, as NumPy's default."""
    ordered_bln = ascending(x_bln.masked_fill(~real_bn[:, None], torch.inf))
    ordered_bln = ordered_bln.masked_fill(ordered_bln.isinf(), 0.0)
    place_bq = x_bln.new_tensor(at) * (real_bn.sum(1, keepdim=True) - 1).clamp(min=0)
    below_bq = place_bq.floor()
    index_blq = below_bq.long()[:, None].expand(-1, x_bln.shape[1], -1)
    above_blq = torch.minimum(index_blq + 1, (real_bn.sum(1)[:, None, None] - 1).clamp(min=0))
    low_blq, high_blq = ordered_bln.gather(2, index_blq), ordered_bln.gather(2, above_blq)
    return low_blq + (high_blq - low_blq) * (place_bq - below_bq)[:, None]


def ascending(x: Tensor) -> Tensor:
    """The last axis in order; by NumPy, thirty times as fast on a CPU, where no gradient or graph is wanted."""
    if x.device.type == "cpu" and not x.requires_grad and not exporting():
        return torch.from_numpy(np.sort(x.numpy(), axis=-1))
    return x.sort(dim=-1).values


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


def windows_within(real_bn: Tensor, length: int, hop: int) -> Tensor:
    """Which windows have only real samples, (batch, windows) of bool."""
    return functional.avg_pool1d(real_bn.float()[:, None], length, hop)[:, 0] > 1 - 0.5 / length


def coarsening(rate: int) -> int:
    """Neighbours that become one sample at about `COARSE` Hz."""
    return max(1, round(rate / COARSE))


def coarse(x_bln: Tensor, real_bn: Tensor, rate: int) -> tuple[Tensor, Tensor, float]:
    """Means over neighbours at about `COARSE` Hz, which of them are of real samples alone, and the rate, Hz."""
    every = coarsening(rate)
    x_blt = functional.avg_pool1d(x_bln, every)
    return x_blt, windows_within(real_bn, every, every), rate / every


def shifted(x_bt: Tensor, first: int, last: int) -> Tensor:
    """The series moved by `first` to `last` places to the left, zeros beyond its ends: (batch, shifts, t)."""
    padded_bt = functional.pad(x_bt, (-first, last))
    if not exporting():
        return padded_bt.unfold(1, x_bt.shape[1], 1).contiguous()
    shifts = torch.eye(last - first + 1, device=x_bt.device, dtype=x_bt.dtype)  # ONNX has no windows of any length
    return functional.conv1d(padded_bt[:, None], shifts[:, None])


def beat_and_rhythm(x_bln: Tensor, real_bn: Tensor, rate: int) -> tuple[Tensor, Tensor]:
    """The mean beat, see `mean_beat`, and the rhythm, (batch, 9), as in `OF_RECORD`."""
    x_blt, real_bt, rate_t = coarse(x_bln, real_bn, rate)
    inner_bt = functional.pad(windows_within(real_bt, 3, 1), (1, 1))
    slope_blt = functional.pad(x_blt[..., 2:] - x_blt[..., :-2], (1, 1)).masked_fill(~inner_bt[:, None], 0.0)
    half = round(0.04 * rate_t)
    steep_bt = (slope_blt.square().mean(1) + 1e-12).sqrt().masked_fill(~inner_bt, 0.0)
    steep_bt = functional.avg_pool1d(steep_bt[:, None], 2 * half + 1, 1, half)[:, 0].masked_fill(~real_bt, 0.0)
    apart = round(0.2 * rate_t)
    # in two dimensions, because torch.export knows the one-dimensional form for one length only
    around_bt = functional.max_pool2d(steep_bt[:, None, None], (1, 2 * apart + 1), 1, (0, apart))[:, 0, 0]
    high_b1 = quantiles(steep_bt[:, None], real_bt, (0.98,))[:, 0]
    beat_bt = (steep_bt >= around_bt) & (steep_bt > 0.4 * high_b1 + 1e-5) & real_bt
    beat_blk, width_b = mean_beat(x_blt, steep_bt, beat_bt, real_bt, rate_t)
    seconds_b = (real_bt.sum(1) / rate_t).clamp(min=1 / rate_t)
    period_b2 = period(slope_blt, rate_t)
    of_intervals_b5 = intervals(beat_bt, rate_t, x_bln.dtype)
    rate_b1 = (beat_bt.sum(1) / seconds_b)[:, None].to(x_bln.dtype)
    return beat_blk, torch.cat([rate_b1, of_intervals_b5, period_b2, width_b[:, None]], dim=1)


def mean_beat(x_blt: Tensor, steep_bt: Tensor, beat_bt: Tensor, real_bt: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """The mean beat around `BEAT`, mV above the isoelectric level, (batch, leads, k), and its width, s.

    Of beats whose whole surrounding is real; zeros where there is none. The width is the area of the slope over its
    maximum.
    """
    first, last = (round(seconds * rate) for seconds in BEAT)
    among_bt = functional.pad(real_bt, (-first, last))
    weight_bt = (beat_bt & windows_within(among_bt, last - first + 1, 1)).to(x_blt.dtype)
    # sum over beats of x at k behind each: the beats moved to the right by k, times x
    moved_bkt = shifted(weight_bt, -last, -first).flip(1)
    both_blt = torch.cat([x_blt, steep_bt[:, None]], dim=1)
    mean_blk = both_blt @ moved_bkt.transpose(1, 2) / weight_bt.sum(1)[:, None, None].clamp(min=1)
    beat_blk, steep_bk = mean_blk[:, :-1], mean_blk[:, -1]
    around = round(0.15 * rate)
    near_bk = steep_bk[:, -first - around : -first + around + 1]
    width_b = near_bk.sum(1) / near_bk.amax(1).clamp(min=1e-6) / rate
    return beat_blk - part("isoelectric", beat_blk, rate).mean(2, keepdim=True), width_b


def part(name: str, beat_blk: Tensor, rate: float) -> Tensor:
    """What of a beat lies within one of `PARTS`, (batch, leads, samples)."""
    first, *within = (round(seconds * rate) for seconds in (BEAT[0], *PARTS[name]))
    return beat_blk[..., within[0] - first : within[1] - first + 1]


def parts(beat_blk: Tensor, rate: float) -> Tensor:
    """QRS maximum and minimum, ST, T maximum and minimum of a mean beat, mV, (batch, leads, 5), as in `OF_LEAD`."""
    qrs, st, t = (part(name, beat_blk, rate) for name in ("qrs", "st", "t"))
    return torch.stack([qrs.amax(2), qrs.amin(2), st.mean(2), t.amax(2), t.amin(2)], dim=2)


def intervals(beat_bt: Tensor, rate: float, dtype: torch.dtype) -> Tensor:
    """Mean interval between beats, s; its deviation, that from the next, the shortest and the longest, over the mean.

    Where there are too few beats to say, the centre of `OF_RECORD`: nothing is known, not that it were short.
    """
    time_bt = torch.arange(beat_bt.shape[1], device=beat_bt.device, dtype=dtype).expand(beat_bt.shape) / rate
    time_bt = time_bt.masked_fill(~beat_bt, torch.inf).sort(dim=1).values
    known_bt = time_bt[:, 1:].isfinite()
    interval_bt = (time_bt[:, 1:] - time_bt[:, :-1]).masked_fill(~known_bt, 0.0)
    count_b = known_bt.sum(1)
    mean_b = interval_bt.sum(1) / count_b.clamp(min=1)
    off_bt = (interval_bt - mean_b[:, None]).masked_fill(~known_bt, 0.0)
    deviation_b = (off_bt.square().sum(1) / count_b.clamp(min=1) + 1e-12).sqrt()
    change_bt = (interval_bt[:, 1:] - interval_bt[:, :-1]).masked_fill(~known_bt[:, 1:], 0.0)
    successive_b = (change_bt.square().sum(1) / (count_b - 1).clamp(min=1) + 1e-12).sqrt()
    shortest_b = interval_bt.masked_fill(~known_bt, torch.inf).amin(1)
    shares = torch.stack([deviation_b, successive_b, shortest_b, interval_bt.amax(1)], dim=1)
    found_b5 = torch.cat([mean_b[:, None], shares / mean_b[:, None].clamp(min=1e-3)], dim=1)
    least = torch.tensor([1, 2, 2, 1, 1], device=beat_bt.device)
    usual = torch.tensor([centre for _, centre, _ in OF_RECORD[1:6]], device=beat_bt.device, dtype=dtype)
    return torch.where(count_b[:, None] >= least, found_b5, usual)


def period(slope_blt: Tensor, rate: float) -> Tensor:
    """Lag of the highest autocorrelation of the slopes within `LAGS`, s, and its height, (batch, 2).

    Sums over all leads divided by that of lag 0: of the multiples of a period the shortest is the highest.
    """
    slope_blt, rate = functional.avg_pool1d(slope_blt, 2), rate / 2  # half as many lags, a quarter of the work
    first, last = (round(seconds * rate) for seconds in LAGS)
    moved_blkt = shifted(slope_blt.flatten(0, 1), first, last).unflatten(0, slope_blt.shape[:2])
    sums_bk = (moved_blkt @ slope_blt[..., None]).sum(1)[..., 0]
    height_b1, place_b1 = (sums_bk / (slope_blt.square().sum((1, 2)) + 1e-9)[:, None]).max(dim=1, keepdim=True)
    return torch.cat([(place_b1 + first).to(slope_blt.dtype) / rate, height_b1], dim=1)
