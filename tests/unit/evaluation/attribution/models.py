"""Models whose attributions are known: one by hand, one that learnt a planted ST elevation."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from ecglfm.config import LEADS, InputConfig, PreprocessConfig
from ecglfm.models.encoders import Encoder, make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.layers import standardize
from tests.unit.architectures import architecture
from tests.unit.evaluation.beats.hearts import heart

FS = 100
ELEVATED = slice(LEADS.index("V2"), LEADS.index("V4") + 1)


class Millivolts(Encoder):
    """Its frames are the samples: a model on it is a mean over time of weights times millivolts."""

    def frames(self, samples: int) -> int:
        return samples

    def encode(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        return x.transpose(1, 2), mask


class Deviations(Millivolts):
    """Its frames are the standardised samples."""

    def standardized(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return standardize(x, mask)

    def encode(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        return super().encode(self.standardized(x, mask), mask)

    def encode_standardized(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        return super().encode(x, mask)


def linear_model(
    kind: str = "multilabel", mode: str = "full", *, seconds: float = 2.0, of: type[Encoder] = Millivolts
) -> ECGModel:
    shape = architecture(kind="conformer", dim=12, layers=1, heads=2, ffn_dim=32, conv_channels=8)
    encoder = of(shape, list(LEADS), FS, PreprocessConfig(sampling_rate=FS), seconds)
    model = ECGModel(encoder, ["a", "b", "c"], mode, kind)
    with torch.no_grad():
        model.head.weight.copy_(torch.arange(36.0).reshape(3, 12) / 10 - 1)
        model.head.bias.copy_(torch.tensor([0.5, -0.25, 0.0]))
    return model.eval()


def contracted_model() -> ECGModel:
    """`linear_model` at half the rate of prepared signals, with leads backwards, each less 0.2 mV and over its number."""
    numbers = {"lower": [-9.0] * 12, "upper": [9.0] * 12, "mean": [0.2] * 12, "deviation": [1.0 + k for k in range(12)]}
    input_ = InputConfig.model_validate(
        {
            "leads": list(reversed(LEADS)), "sampling_rate": FS // 2, "window_seconds": 2.0, "unit": "deviations",
            "record": [{"step": "resample", "rate": FS // 2, "method": "every"}],
            "window": [{"step": "constants", **numbers}],
        }
    )  # fmt: skip
    model = linear_model()
    model.encoder.input, model.encoder.leads, model.encoder.sampling_rate = input_, input_.leads, FS // 2
    return model


def patient(seed: int, *, elevated: bool) -> np.ndarray:
    """Microvolts, 5 s, of a heart with or without an ST elevation of 0.25 mV in V2 to V4."""
    rng = np.random.default_rng(seed)
    signal = heart(fs=FS, seconds=5, rr=0.8) * rng.uniform(0.7, 1.3, 12)
    if elevated:
        t = np.arange(len(signal)) / FS
        bumps = sum(np.exp(-0.5 * ((t - beat - 0.13) / 0.035) ** 2) for beat in np.arange(0.4, 5, 0.8))
        signal[:, ELEVATED] += 0.25 * np.asarray(bumps)[:, None] * rng.uniform(0.8, 1.2, 3)
    return np.rint((signal + rng.normal(0, 0.03, signal.shape)) * 1000).astype(np.int16)


def random_model(seed: int = 0) -> ECGModel:
    torch.manual_seed(seed)
    shape = architecture(kind="conformer", dim=16, layers=1, heads=2, ffn_dim=16, conv_channels=16, dropout=0.0)
    encoder = make_encoder(shape, list(LEADS), FS, PreprocessConfig(sampling_rate=FS), 5.0)
    return ECGModel(encoder, ["STE"], "full").eval()


@cache
def trained_model() -> ECGModel:
    """Learnt to tell hearts with the elevation from those without."""
    model = random_model()
    model.freeze("full", freeze_frontend=False)
    signals = np.stack([patient(seed, elevated=seed % 2 == 1) for seed in range(64)]) / 1000.0
    x, y = torch.from_numpy(signals).float().transpose(1, 2), (torch.arange(64) % 2).float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(40):
        rows = torch.randperm(64, generator=generator)[:16]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x[rows])[:, 0], y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
