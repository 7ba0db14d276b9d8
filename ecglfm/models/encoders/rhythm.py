"""Beats and rhythm of a recording, told without a weight: each lead's mean beat, intervals, how periodic it is.

Beats are maxima of the slope of all leads together, at 100 Hz; who wants delineation takes a delineator. All of it is
convolutions, sums and sorting in float32, so that it runs in batches, on any device and in ONNX.

Shapes: b batch, l leads, n samples, t samples at about 100 Hz, k lags, or samples of a beat, s statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ecglfm.models.layers import exporting

#: Hz in which beats and lags are told; as near to it as whole samples allow.
COARSE = 100
#: Lags among which the period is looked for, s: 30 to 200 beats a minute.
LAGS = (0.3, 2.0)
#: What is looked at around a beat, s from it, and what of it.
BEAT = (-0.24, 0.42)
PARTS = {"isoelectric": (-0.12, -0.06), "qrs": (-0.06, 0.06), "st": (0.08, 0.12), "t": (0.14, 0.4)}

#: Of the record: beats a second, seconds, shares of the mean interval, a correlation, seconds.
OF_RECORD = (
    ("beats_per_second", 1.2, 0.3), ("interval", 0.85, 0.2), ("interval_deviation", 0.03, 0.05),
    ("interval_successive", 0.04, 0.05), ("interval_minimum", 0.95, 0.05), ("interval_maximum", 1.05, 0.05),
    ("period", 0.9, 0.3), ("periodicity", 0.4, 0.2), ("qrs_width", 0.1, 0.01),
)  # fmt: skip


def ascending(x: Tensor) -> Tensor:
    """The last axis in order; by NumPy, thirty times as fast on a CPU, where no gradient or graph is wanted."""
    if x.device.type == "cpu" and not x.requires_grad and not exporting():
        with suppress(RuntimeError):  # torch.export and torch.func have tensors without memory
            return torch.from_numpy(np.sort(x.numpy(), axis=-1))
    return x.sort(dim=-1).values


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
