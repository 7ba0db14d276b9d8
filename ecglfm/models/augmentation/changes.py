"""One change of training segments for each `kind` of `ecglfm.config.augmentation`, in physical units.

Noise arises at electrodes, so it is drawn for each of the nine and reaches the leads as Einthoven, Goldberger and
Wilson have it: III stays II - I. Of electrodes with independent noise of deviation s a lead between two limbs has
sqrt(2) s, one of Goldberger's sqrt(3/2) s, one of the chest sqrt(4/3) s; amplitudes are those of the first.

Shapes: b records, l leads, n samples, e electrodes, k sines.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ecglfm.config.augmentation import (
    LIMBS,
    BaselineConfig,
    GainConfig,
    LeadPermutationConfig,
    NoiseConfig,
    PowerlineConfig,
    RotationConfig,
    TimeWarpConfig,
)
from ecglfm.models.augmentation.electrodes import (
    DOWER,
    ELECTRODES,
    leads_of_electrodes,
    limb_basis,
    limbs_of_leads,
)
from ecglfm.models.pretraining import substream, uniform

_SINES = 3  # of a wandering baseline


class Change(ABC):
    """A change of some records of a batch, by numbers of each record's own key.

    Parameters
    ----------
    config : section of `AugmentConfig`
        Of its own kind.
    leads : sequence of str
        Of the segments, in their order.
    rate : int
        Samples a second.
    """

    #: Leads that a record must have to be changed, by their places.
    needs: Sequence[int] = ()

    def __init__(self, config: Any, leads: Sequence[str], rate: int) -> None:
        self.config, self.leads, self.rate = config, list(leads), rate

    @abstractmethod
    def __call__(self, x_bln: Tensor, keys_b: Tensor, length_b: Tensor) -> Tensor:
        """Changed millivolts of the same shape; what is absent or padding may have any finite value.

        Parameters
        ----------
        x_bln : Tensor of float32, shape (batch, leads, samples)
        keys_b : Tensor of int64, shape (batch,)
            Of numbers for this change alone.
        length_b : Tensor of int64, shape (batch,)
            Real samples.
        """


def between(limits: tuple[float, float], keys_b: Tensor, count: int = 1) -> Tensor:
    """Numbers drawn uniformly from one limit to the other, (batch, count)."""
    return limits[0] + (limits[1] - limits[0]) * uniform(keys_b, count)


def on(x: Tensor, matrix: np.ndarray) -> Tensor:
    """A matrix as a tensor where `x` is, and of its type."""
    return torch.as_tensor(matrix, dtype=x.dtype, device=x.device)


class _AtElectrodes(Change):
    """Something added to each electrode's potential, whose root mean square in leads I to III is `mv`."""

    def __call__(self, x_bln: Tensor, keys_b: Tensor, length_b: Tensor) -> Tensor:
        del length_b
        deviation_b1 = between(self.config.mv, substream(keys_b, 0)) / math.sqrt(2)
        noise_ben = self.potentials(substream(keys_b, 1), x_bln.shape[2])
        return x_bln + on(x_bln, leads_of_electrodes(self.leads)) @ (deviation_b1[..., None] * noise_ben)

    @abstractmethod
    def potentials(self, keys_b: Tensor, samples: int) -> Tensor:
        """Of mean square 1, (batch, electrodes, samples)."""


def _sine(hz_bk: Tensor, phase_bek: Tensor, samples: int, rate: int) -> Tensor:
    """Sum of sines of mean square 1 together, (batch, electrodes, samples)."""
    time_n = torch.arange(samples, device=hz_bk.device) / rate
    angle_bkn = 2 * math.pi * hz_bk[..., None] * time_n
    return sum_of_sines(angle_bkn, phase_bek) * math.sqrt(2 / hz_bk.shape[1])


def sum_of_sines(angle_bkn: Tensor, phase_bek: Tensor) -> Tensor:
    """Sum over k of sin(angle + phase), (batch, electrodes, samples), without an array of all of them."""
    return phase_bek.cos() @ angle_bkn.sin() + phase_bek.sin() @ angle_bkn.cos()


class Noise(_AtElectrodes):
    """White noise."""

    config: NoiseConfig

    def potentials(self, keys_b: Tensor, samples: int) -> Tensor:
        """Standard normal numbers."""
        drawn = uniform(keys_b, len(ELECTRODES) * samples).view(len(keys_b), len(ELECTRODES), samples)
        return torch.erfinv(2 * drawn - 1) * math.sqrt(2)


class Powerline(_AtElectrodes):
    """A sine of the mains."""

    config: PowerlineConfig

    def potentials(self, keys_b: Tensor, samples: int) -> Tensor:
        """With a phase of each electrode's own."""
        phase_be1 = 2 * math.pi * uniform(keys_b, len(ELECTRODES))[..., None]
        return _sine(torch.full_like(phase_be1[:, 0], self.config.hz), phase_be1, samples, self.rate)


class Baseline(_AtElectrodes):
    """Slow sines, of frequencies that all electrodes share."""

    config: BaselineConfig

    def potentials(self, keys_b: Tensor, samples: int) -> Tensor:
        """With phases of each electrode's own."""
        hz_bk = between(self.config.hz, substream(keys_b, 0), _SINES)
        phase = 2 * math.pi * uniform(substream(keys_b, 1), len(ELECTRODES) * _SINES)
        return _sine(hz_bk, phase.view(len(keys_b), len(ELECTRODES), _SINES), samples, self.rate)


class Gain(Change):
    """One factor for all leads."""

    config: GainConfig

    def __call__(self, x_bln: Tensor, keys_b: Tensor, length_b: Tensor) -> Tensor:  # noqa: D102
        del length_b
        return x_bln * 10 ** (between(self.config.db, keys_b)[..., None] / 20)


class TimeWarp(Change):
    """One half of the segment slower, the other faster; both ends stay where they are, so nothing has to be made up."""

    config: TimeWarpConfig

    def __call__(self, x_bln: Tensor, keys_b: Tensor, length_b: Tensor) -> Tensor:  # noqa: D102
        return warp(x_bln, between(self.config.percent, keys_b)[:, 0] / 100, length_b)


def warp(x_bln: Tensor, share_b: Tensor, length_b: Tensor) -> Tensor:
    """Records whose first half takes `share` longer and whose second half that much shorter, linearly interpolated.

    What lay at time t of the first half lies at t (1 + share), and the middle at half (1 + share) of the length.
    """
    samples = x_bln.shape[2]
    place_bn = torch.arange(samples, device=x_bln.device, dtype=torch.float32).expand(len(x_bln), -1)
    end_b1 = (length_b[:, None] - 1).to(torch.float32)
    middle_b1, factor_b1 = end_b1 / 2, 1 + share_b[:, None]
    moved_b1 = middle_b1 * factor_b1
    later_bn = middle_b1 + (place_bn - moved_b1) * (middle_b1 / (end_b1 - moved_b1).clamp(min=1e-6))
    from_bn = torch.where(place_bn <= moved_b1, place_bn / factor_b1, later_bn).clamp(min=0)
    from_bn = torch.minimum(from_bn, end_b1)
    before_bn = from_bn.floor()
    last = torch.full_like(before_bn, samples - 1)
    index_bln = before_bn.long()[:, None].expand_as(x_bln)
    next_bln = torch.minimum(before_bn + 1, last).long()[:, None].expand_as(x_bln)
    return torch.lerp(x_bln.gather(2, index_bln), x_bln.gather(2, next_bln), (from_bn - before_bn)[:, None])


class LeadPermutation(Change):
    """Electrodes of a group in any order, each as often; those of the chest are leads, those of the limbs make six."""

    config: LeadPermutationConfig

    def __init__(self, config: LeadPermutationConfig, leads: Sequence[str], rate: int) -> None:
        super().__init__(config, leads, rate)
        self._of_limbs = set(config.group) <= set(LIMBS)
        self.needs = limb_basis(self.leads) if self._of_limbs else [self.leads.index(name) for name in config.group]

    def __call__(self, x_bln: Tensor, keys_b: Tensor, length_b: Tensor) -> Tensor:  # noqa: D102
        del length_b
        return self.permuted(x_bln, uniform(keys_b, len(self.config.group)).argsort(dim=1))

    def permuted(self, x_bln: Tensor, order_bg: Tensor) -> Tensor:
        """Records whose electrode g is in the place of electrode `order[g]` of the group: it measures what that did."""
        potentials_bpn, places = x_bln, self.needs
        if self._of_limbs:
            potentials_bpn = on(x_bln, limbs_of_leads(self.leads)) @ x_bln[:, self.needs]
            places = [LIMBS.index(name) for name in self.config.group]
        own = torch.arange(potentials_bpn.shape[1], device=x_bln.device).repeat(len(x_bln), 1)
        own[:, places] = torch.as_tensor(places, device=x_bln.device)[order_bg]
        moved_bpn = potentials_bpn.gather(1, own[..., None].expand_as(potentials_bpn))
        if not self._of_limbs:
            return moved_bpn
        measured = leads_of_electrodes(self.leads)
        limbs = [place for place, row in enumerate(measured) if not row[3:].any()]
        changed = x_bln.clone()
        changed[:, limbs] = on(x_bln, measured[limbs, :3]) @ moved_bpn
        same_b = (order_bg == torch.arange(order_bg.shape[1], device=x_bln.device)).all(1)
        return torch.where(same_b[:, None, None], x_bln, changed)


class Rotation(Change):
    """The heart's vector turned and stretched; what of the leads no vector explains stays as it is."""

    config: RotationConfig

    def __init__(self, config: RotationConfig, leads: Sequence[str], rate: int) -> None:
        super().__init__(config, leads, rate)
        chest = [self.leads.index(name) for name in ELECTRODES[3:]]
        self.needs = [*limb_basis(self.leads), *chest]
        measured = leads_of_electrodes(self.leads)
        first_two = np.array([[-1, 1, 0], [-1, 0, 1]]) @ limbs_of_leads(self.leads)  # I and II by two limb leads
        eight = np.zeros((8, 8))
        eight[:2, :2], eight[2:, 2:] = first_two, np.eye(6)
        self._vector = np.linalg.pinv(DOWER) @ eight  # of the leads that it needs
        limbs = np.linalg.pinv(np.array([[-1.0, 1, 0], [-1, 0, 1]]))  # potentials by I and II
        potentials = np.zeros((9, 8))
        potentials[:3, :2], potentials[3:, 2:] = limbs, np.eye(6)
        self._leads = measured @ potentials @ DOWER  # of the vector

    def __call__(self, x_bln: Tensor, keys_b: Tensor, length_b: Tensor) -> Tensor:  # noqa: D102
        del length_b
        most = self.config.degrees
        angle_b3 = torch.deg2rad(between((-most, most), substream(keys_b, 0), 3))
        return self.turned(x_bln, angle_b3, between(self.config.scale, substream(keys_b, 1), 3))

    def turned(self, x_bln: Tensor, angle_b3: Tensor, scale_b3: Tensor) -> Tensor:
        """Leads of vectors stretched along the axes, then turned about x, y and z by these angles, radians."""
        vector_b3n = on(x_bln, self._vector) @ x_bln[:, list(self.needs)]
        change_b33 = rotation(angle_b3) * scale_b3[:, None] - torch.eye(3, device=x_bln.device)
        return x_bln + on(x_bln, self._leads) @ (change_b33 @ vector_b3n)


def rotation(angle_b3: Tensor) -> Tensor:
    """Matrices that turn about x, then y, then z, right-handed, (batch, 3, 3)."""
    cos_b3, sin_b3 = angle_b3.cos(), angle_b3.sin()
    turned = torch.eye(3, device=angle_b3.device).repeat(len(angle_b3), 1, 1)
    for axis, (one, other) in enumerate(((1, 2), (2, 0), (0, 1))):
        about = torch.eye(3, device=angle_b3.device).repeat(len(angle_b3), 1, 1)
        about[:, one, one] = about[:, other, other] = cos_b3[:, axis]
        about[:, one, other], about[:, other, one] = -sin_b3[:, axis], sin_b3[:, axis]
        turned = about @ turned
    return turned


#: By `kind` of the config.
KINDS: dict[str, type[Change]] = {
    "noise": Noise,
    "powerline": Powerline,
    "baseline": Baseline,
    "gain": Gain,
    "time_warp": TimeWarp,
    "lead_permutation": LeadPermutation,
    "rotation": Rotation,
}
