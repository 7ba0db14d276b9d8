"""The encoder: 12-lead millivolts to one vector per 32 ms frame, or one per recording.

Shapes: b batch, l leads, n samples, t frames, d width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ecglfm.config import (
    Architecture,
    ContextConfig,
    FrontEndConfig,
    InputConfig,
    ModelConfig,
    PreprocessConfig,
    S4Config,
)
from ecglfm.models.encoders.conformer import Conformer
from ecglfm.models.encoders.context import Context
from ecglfm.models.encoders.frontend import Features, FrontEnd
from ecglfm.models.encoders.s4 import S4, NormedFrontEnd
from ecglfm.models.encoders.wav2vec2 import Wav2Vec2
from ecglfm.models.layers import exporting, standardize

#: What follows the front end, of each `model.kind` that has one.
CONTEXTS: dict[str, type[Context]] = {"conformer": Conformer, "wav2vec2": Wav2Vec2, "s4": S4}


def mean_over_frames(x_btd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
    """Mean over real frames.

    Parameters
    ----------
    x_btd : Tensor, shape (batch, frames, dim)
    mask_bt : Tensor of bool, shape (batch, frames), optional
        True where a frame is real.

    Returns
    -------
    Tensor, shape (batch, dim)
        Zero for a record without one real frame.
    """
    if mask_bt is None:
        return x_btd.mean(dim=1)
    total = x_btd.masked_fill(~mask_bt[..., None], 0.0).sum(dim=1)
    return total / mask_bt.sum(dim=1, keepdim=True).clamp(min=1)


def last_frame(x_btd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
    """The last real frame; parameters and result as of `mean_over_frames`."""
    if mask_bt is None:
        return x_btd[:, -1]
    last_b = mask_bt.shape[1] - 1 - mask_bt.flip(1).to(torch.int32).argmax(dim=1)
    at_b1d = last_b[:, None, None].expand(-1, 1, x_btd.shape[2])
    return x_btd.masked_fill(~mask_bt[..., None], 0.0).gather(1, at_b1d)[:, 0]


class Encoder(nn.Module, ABC):
    """What every encoder is: leads of millivolts in, frames and the mask of the real ones out.

    Parameters
    ----------
    model : ModelConfig
        Architecture.
    leads : sequence of str
        Names of the leads in the order of the input.
    sampling_rate : int
        Hz.
    preprocess : PreprocessConfig
        How the signals it was trained on were made; kept so that a saved encoder is self-contained.
    crop_seconds : float
        Length of the segments it was trained on, s. Inputs of other lengths are fine.

    Attributes
    ----------
    dim : int
        Width of a frame.
    input : InputConfig or None
        How what it reads is made of prepared signals; None: it reads these as they are. `make_encoder` sets it: then
        `leads`, `sampling_rate` and `crop_seconds` are of that, and `preprocess` says what it is made of.
    info : dict
        Where the weights come from: the content of the `encoder.json` it was loaded from, else empty.
    """

    def __init__(
        self,
        model: ModelConfig,
        leads: Sequence[str],
        sampling_rate: int,
        preprocess: PreprocessConfig,
        crop_seconds: float,
    ) -> None:
        super().__init__()
        self.config: Architecture = model
        self.leads = list(leads)
        self.sampling_rate = int(sampling_rate)
        self.preprocess = preprocess
        self.crop_seconds = crop_seconds
        self.dim = model.dim
        self.input: InputConfig | None = None
        self.info: dict[str, Any] = {}

    @property
    def crop_samples(self) -> int:
        """Samples in a segment of `crop_seconds`."""
        return round(self.crop_seconds * self.sampling_rate)

    @property
    def longest(self) -> int | None:
        """Samples that it can read at once; None: any number."""
        return None

    @property
    def embedding_dim(self) -> int:
        """Width of the vector of a recording, which `pool` gives."""
        return self.dim

    @property
    def closing(self) -> tuple[str, ...]:
        """Names of modules behind the last layer, which learn as that does."""
        return ()

    @property
    def adapted(self) -> tuple[str, ...]:
        """Names of the Linears that get an adapter unless a config says otherwise."""
        return ()

    @abstractmethod
    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples give."""

    def too_short(self, samples: int) -> bool:
        """Whether `samples` samples give no frame."""
        return self.frames(samples) < 1

    @abstractmethod
    def encode(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames and the mask of the real ones; arguments as in `forward`."""

    def standardized(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The input as the layers read it, of the same shape: `x` unless `model.standardize` has it standardised."""
        del mask
        return x

    def encode_standardized(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """`encode` of what `standardized` gave: `encode(x)` is `encode_standardized(standardized(x))`."""
        return self.encode(x, mask)

    def freeze_frontend(self) -> None:
        """Have the convolutional front end keep its pretrained weights; nothing where there is none."""

    def check_input(self, x: Tensor, mask: Tensor | None) -> None:
        """Raise `ValueError`: the input is not (batch, leads, samples), too short or long, or its mask does not fit."""
        if x.dim() != 3 or x.shape[1] != len(self.leads):
            raise ValueError(
                f"expected (batch, {len(self.leads)} leads, samples), found {tuple(x.shape)}; leads are {self.leads}"
            )
        if self.too_short(x.shape[2]):
            raise ValueError(f"{x.shape[2]} samples are shorter than one frame of the encoder")
        if self.longest is not None and not exporting() and x.shape[2] > self.longest:
            most = f"the {self.longest} that the encoder can read at once"
            raise ValueError(f"{x.shape[2]} samples are more than {most}; give windows")
        if mask is not None and mask.shape != (x.shape[0], x.shape[2]):
            raise ValueError(f"expected a mask of shape {(x.shape[0], x.shape[2])}, found {tuple(mask.shape)}")

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """One vector per frame.

        Parameters
        ----------
        x : Tensor of float, shape (batch, leads, samples)
            Millivolts at `sampling_rate`, or what `input` makes of them; leads in the order of `leads`.
        mask : Tensor of bool, shape (batch, samples), optional
            True where a sample is real: a padded record gives in its real frames what it gives alone.

        Returns
        -------
        Tensor, shape (batch, frames, dim)
            Zero at frames of padding.

        Raises
        ------
        ValueError
            The input is not (batch, leads, samples), or shorter than one frame.
        """
        return self.encode(x, mask)[0]

    def pool(self, x_btd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """The vector of a recording, (batch, embedding_dim), of what `encode` gave: the mean over its real frames."""
        return mean_over_frames(x_btd, mask_bt)

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """One vector per recording, (batch, embedding_dim), its frames pooled; arguments as in `forward`."""
        return self.pool(*self.encode(x, mask))


def front_end(model: ModelConfig, leads: int) -> FrontEnd | NormedFrontEnd:
    """What turns millivolts into the frames that a context reads."""
    if isinstance(model, S4Config):
        return NormedFrontEnd(leads, model)
    assert isinstance(model, FrontEndConfig)
    return FrontEnd(
        leads,
        channels=model.conv_channels,
        conv_layers=model.conv_layers,
        dim=model.dim,
        joined=model.joined,
        projected=model.projected,
    )


class ECGEncoder(Encoder):
    """Front end, then a Conformer (ECG-LFM), wav2vec 2.0's transformer (ECG-FM) or S4 (ECG-CPC), by `model.kind`.

    Parameters are those of `Encoder`.
    """

    config: ContextConfig

    def __init__(
        self,
        model: ModelConfig,
        leads: Sequence[str],
        sampling_rate: int,
        preprocess: PreprocessConfig,
        crop_seconds: float,
    ) -> None:
        super().__init__(model, leads, sampling_rate, preprocess, crop_seconds)
        assert isinstance(model, ContextConfig)
        self.frontend = front_end(model, len(self.leads))
        self._kind = model.kind
        self.add_module(model.kind, cast(nn.Module, CONTEXTS[model.kind](model)))  # a weight's name tells the kind

    @property
    def context(self) -> Context:
        """What follows the front end."""
        return cast(Context, getattr(self, self._kind))

    @property
    def closing(self) -> tuple[str, ...]:
        """Names of modules behind the last layer, which learn as that does."""
        return tuple(f"{self._kind}.{name}" for name in self.context.closing)

    @property
    def adapted(self) -> tuple[str, ...]:
        """Names of the Linears of queries and values."""
        return self.context.adapted

    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples give."""
        return self.frontend.frames(samples)

    def freeze_frontend(self) -> None:
        """Have the convolutional front end keep its pretrained weights."""
        self.frontend.freeze()

    def standardized(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Each lead at mean 0 and deviation 1, where `model.standardize` says so; arguments as in `forward`."""
        return standardize(x, mask) if self.config.standardized else x

    def features(self, x: Tensor, mask: Tensor | None = None) -> Features:
        """Front end alone; arguments and errors as in `forward`."""
        self.check_input(x, mask)
        return self.frontend(self.standardized(x, mask), mask)

    def encode(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames and the mask of the real ones; arguments as in `forward`."""
        return self._frames(self.features(x, mask))

    def pool(self, x_btd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """The mean over real frames, or the last of them, as the architecture says."""
        return (last_frame if self.config.last_frame else mean_over_frames)(x_btd, mask_bt)

    def encode_standardized(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """`encode` of what `standardized` gave."""
        self.check_input(x, mask)
        return self._frames(self.frontend(x, mask))

    def _frames(self, features: Features) -> tuple[Tensor, Tensor | None]:
        frames_btd = self.context(self.frontend.project(features.normed_btc), features.mask_bt)[-1]
        if features.mask_bt is not None:
            frames_btd = frames_btd.masked_fill(~features.mask_bt[..., None], 0.0)
        return frames_btd, features.mask_bt
