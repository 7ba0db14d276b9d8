"""What recordings of the training split look like, so that one that is unlike them gets no decision.

Three descriptions of a recording, means over its windows: the `vector` that the head reads; its `signal`: how leads
go together (correlations of their differences over 8 ms) and how fast they move (log share of the power in octaves
from 0.5 Hz on); and its `beats`: how many steep stretches a second has. Of each the distance of Mahalanobis to the
training recordings, with the covariance shrunk as Ledoit and Wolf 2004 do (as Lee et al. 2018, arXiv:1807.03888, do
with classes). A recording is unlike them where a distance is above its limit, or where a test of quality failed that
hardly any genuine recording fails.

Shapes: n recordings, b windows, l leads, t samples, d numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ecglfm.config.signals import QualityConfig

LAG_SECONDS = 0.008
#: Descriptions of a recording.
PARTS = ("vector", "signal", "beats")
#: Added to the beats per second, whose logarithm is taken.
SLOWEST = 0.1
#: Edges of the octaves, Hz.
OCTAVES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
#: Flags that more of the genuine recordings carry say nothing about one.
RARE = 0.01
_STEPS = 100  # shares that are tried on the way down


def signal_numbers(x_blt: Tensor, valid_b: Tensor, rate: float) -> Tensor:
    """The descriptions `signal` and `beats` of windows side by side, shape (b, d).

    Parameters
    ----------
    x_blt : Tensor, shape (b, l, t)
        What the encoder reads, in any unit: all are ratios. Zeros behind the real samples.
    valid_b : Tensor of int, shape (b,)
        Real samples of each window.
    rate : float
        Hz.
    """
    leads, samples = x_blt.shape[1:]
    lag = max(1, round(LAG_SECONDS * rate))
    real_bt = torch.arange(samples, device=x_blt.device) < valid_b[:, None]
    steps = (x_blt[..., lag:] - x_blt[..., :-lag]) * real_bt[:, None, lag:]
    gram = steps @ steps.transpose(1, 2)
    power = gram.diagonal(dim1=1, dim2=2).clamp(min=1e-9).sqrt()
    upper = torch.triu_indices(leads, leads, 1, device=x_blt.device)
    together = (gram / power[:, :, None] / power[:, None, :])[:, upper[0], upper[1]]
    mean = x_blt.sum(dim=-1, keepdim=True) / valid_b[:, None, None].clamp(min=1)
    spectrum = torch.view_as_real(torch.fft.rfft((x_blt - mean) * real_bt[:, None])).square().sum(dim=(1, 3))
    # As `torch.fft.rfftfreq` to the bit, but on the host: which of them are in an octave would be waited for on a GPU.
    frequency = np.arange(samples // 2 + 1, dtype=np.float32) * np.float32(1.0 / (samples * (1.0 / rate)))
    places = [int((frequency < edge).sum()) for edge in OCTAVES]
    octaves = torch.stack([spectrum[:, a:b].contiguous().sum(dim=1) for a, b in itertools.pairwise(places)], dim=1)
    share = octaves / octaves.sum(dim=1, keepdim=True).clamp(min=1e-9)
    seconds_b = valid_b.clamp(min=lag + 1) / rate
    beats = torch.log(_count_beats(steps.abs().sum(dim=1), rate) / seconds_b + SLOWEST)
    return torch.cat([together, share.clamp(min=1e-6).log(), beats[:, None]], dim=1)


def _count_beats(activity_bt: Tensor, rate: float) -> Tensor:
    """Peaks of the activity over 80 ms that reach 0.4 of the highest and lie 50 ms apart, shape (b,)."""
    odd = [2 * round(seconds * rate / 2) + 1 for seconds in (0.08, 0.1)]
    smooth_bt = nn.functional.avg_pool1d(activity_bt[:, None], odd[0], stride=1, padding=odd[0] // 2)[:, 0]
    highest_bt = nn.functional.max_pool1d(smooth_bt[:, None], odd[1], stride=1, padding=odd[1] // 2)[:, 0]
    peak_bt = (smooth_bt == highest_bt) & (smooth_bt >= 0.4 * smooth_bt.amax(dim=1, keepdim=True).clamp(min=1e-6))
    starts_b = peak_bt[:, :1].sum(dim=1) + (peak_bt[:, 1:] & ~peak_bt[:, :-1]).sum(dim=1)
    return starts_b.to(activity_bt.dtype)


def count_numbers(leads: int) -> int:
    """How many `signal_numbers` there are."""
    return leads * (leads - 1) // 2 + len(OCTAVES)


class Cloud(nn.Module):
    """Where descriptions lie: mean and a root of the inverse covariance, buffers that are saved with the weights."""

    mean: Tensor
    root: Tensor

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("root", torch.zeros(numbers, numbers))

    def fit(self, values_nd: np.ndarray) -> None:
        """Take mean and shrunk covariance of some descriptions."""
        from sklearn.covariance import ledoit_wolf

        values = values_nd.astype(np.float64)
        # Numbers of one size, for the shrinkage draws all towards one variance; one that never changed has no own size.
        spread = values.std(axis=0)
        scale = np.maximum(spread, max(0.01 * spread.max(), 1e-3))
        covariance, _ = ledoit_wolf(values / scale)
        covariance += 1e-6 * np.eye(len(covariance))
        root = np.linalg.cholesky(np.linalg.inv(covariance)).T / scale
        self.mean = torch.from_numpy(values.mean(axis=0)).float()
        self.root = torch.from_numpy(root).float()

    def distance(self, values_nd: np.ndarray) -> np.ndarray:
        """Distances, shape (n,), float64."""
        mean, root = (value.detach().cpu().numpy().astype(np.float64) for value in (self.mean, self.root))
        distances: np.ndarray = np.linalg.norm((values_nd - mean) @ root.T, axis=1)
        return distances


class Reference(nn.Module):
    """Clouds of the training recordings, limits of the distances to them, and flags that are common.

    Parameters
    ----------
    dim : int
        Width of the encoder.
    leads : int

    Attributes
    ----------
    limits : dict of str to float
        By description.
    share : float
        Of genuine recordings that the limits were chosen to let be called unlike.
    common : tuple of str
        Tests of quality that are no reason, because genuine recordings fail them.
    """

    def __init__(self, dim: int, leads: int) -> None:
        super().__init__()
        self.vector = Cloud(dim)
        self.signal = Cloud(count_numbers(leads) - 1)
        self.beats = Cloud(1)
        self.limits = dict.fromkeys(PARTS, math.inf)
        self.common: tuple[str, ...] = ()
        self.share = 0.0

    def split(self, values_nd: np.ndarray) -> dict[str, np.ndarray]:
        """Descriptions by name, of all side by side as `ecglfm.training.inference.predict_described` gives them."""
        dim = len(self.vector.mean)
        return {"vector": values_nd[:, :dim], "signal": values_nd[:, dim:-1], "beats": values_nd[:, -1:]}

    def distances(self, values_nd: np.ndarray) -> dict[str, np.ndarray]:
        """Distances of recordings by description."""
        return {name: getattr(self, name).distance(values) for name, values in self.split(values_nd).items()}

    def fit(self, values_nd: np.ndarray) -> None:
        """Take the clouds of training recordings."""
        for name, values in self.split(values_nd).items():
            getattr(self, name).fit(values)

    def choose(self, values_nd: np.ndarray, flags: Sequence[set[str]], patients: np.ndarray, share: float) -> None:
        """Choose limits and common flags so that at most a share of genuine recordings is unlike the training ones.

        Parameters
        ----------
        values_nd : ndarray
            Of the validation recordings.
        flags : sequence of set of str
            Tests of quality that each failed.
        patients : ndarray of str, shape (n,)
            Each counts once, spread over their recordings.
        share : float
            Between 0 and 1.
        """
        self.share = share
        _, patient_of, count = np.unique(patients, return_inverse=True, return_counts=True)
        weight = 1.0 / count[patient_of] / len(count)
        names = sorted(set().union(*flags))
        carried = {name: float(weight[[name in own for own in flags]].sum()) for name in names}
        self.common = tuple(name for name in names if carried[name] > RARE)
        rare = np.array([bool(own - set(self.common)) for own in flags])
        distances = self.distances(values_nd)
        for part in np.linspace(share, 0, _STEPS, endpoint=False):
            self.limits = {name: _upper(found, weight, part) for name, found in distances.items()}
            outside = rare | np.any([found > self.limits[name] for name, found in distances.items()], axis=0)
            if weight[outside].sum() <= share + 1e-9:
                return
        self.limits = {name: float(found.max()) for name, found in distances.items()}

    def reasons(self, values_nd: np.ndarray, flags: Sequence[set[str]]) -> list[str]:
        """Why each recording is unlike the training ones; empty where it is not."""
        distances, found = self.distances(values_nd), []
        for row, own in enumerate(flags):
            odd = sorted(own - set(self.common))
            far = [name for name, limit in self.limits.items() if distances[name][row] > limit]
            told = [f"{name} {distances[name][row]:.1f}, limit {self.limits[name]:.1f}" for name in far]
            found.append(f"quality: {' '.join(odd)}" if odd else f"unlike_training: {'; '.join(told)}" if told else "")
        return found


def _upper(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """Smallest of the values that at most a share lies above."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return float(values[order][np.flatnonzero(below >= 1 - share - 1e-9)[0]])


def quality_flags(flags: Iterable[str]) -> set[str]:
    """Those of a recording's flags that may be a reason: tests of quality but that of the mains, whose hum is small."""
    return set(flags) & (set(QualityConfig.model_fields) - {"mains_noise"})
