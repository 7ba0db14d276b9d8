"""What an encoder on patches must offer to be pretrained by hiding some; the one place where that is written down.

Shapes: b batch, l leads, n samples, t frames, v places, s samples of a patch, d width.
"""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from ecglfm.models.encoders.context import Stack
from ecglfm.models.encoders.encoder import Encoder


class PatchEncoder(Encoder):
    """An encoder each of whose frames is of one patch of its input, and which can do without the others.

    Parameters are those of `Encoder`. A place is the number of a frame in what `encode` gives: all patches of the first
    line, then all of the second.
    """

    @property
    @abstractmethod
    def context(self) -> Stack:
        """Its layers; in training every forward of an objective calls it, in `encode_some`."""

    @abstractmethod
    def grid(self, samples: int) -> tuple[int, int]:
        """Lines (leads that have patches of their own, or 1), and patches of each, of so many samples."""

    @abstractmethod
    def patches(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The samples of each patch as the layers read them, (batch, frames, samples); arguments as in `forward`."""

    @abstractmethod
    def encode_some(
        self, x: Tensor, places_bv: Tensor, mask: Tensor | None = None, real_bv: Tensor | None = None
    ) -> Tensor:
        """Frames of some patches, from which alone they are made: the others cost nothing.

        Parameters
        ----------
        x : Tensor of float, shape (batch, leads, samples)
            Millivolts.
        places_bv : Tensor of int64, shape (batch, places)
            Of the patches that are seen, each at most once, in any order.
        mask : Tensor of bool, shape (batch, samples), optional
            True where a sample is real.
        real_bv : Tensor of bool, shape (batch, places), optional
            Which of the patches are real: no other is attended to. Missing: all.

        Returns
        -------
        Tensor, shape (batch, places, dim)
            With all places what `encode` gives there, behind the closing LayerNorm in any case; finite where a patch is
            not real.
        """
