"""Small objectives that hide patches, and the noise of a batch."""

from __future__ import annotations

from typing import Any

import torch

from ecglfm.config import PreprocessConfig, PretrainConfig
from ecglfm.models.encoders import make_encoder
from ecglfm.models.pretraining import make_objective
from ecglfm.models.pretraining.blocks import Places
from tests.unit.architectures import small

LEADS = ["I", "II", "V1"]


def objective_of(kind: str, model: dict[str, Any] | None = None, **said: Any) -> Any:
    """One on three leads of 2 s at 100 Hz, in patches of 20 samples of a lead; `pretrain` says more of the training."""
    torch.manual_seed(0)
    encoder = make_encoder(
        small("vit", **{"dropout": 0.0} | (model or {})), LEADS, 100, PreprocessConfig(sampling_rate=100), 2.0
    )
    training = {"steps": 1, "crop_seconds": 2.0} | said.pop("pretrain", {})
    objective = {"kind": kind, "hidden": {"length": 2, "leads": 2}} | said
    return make_objective(encoder, PretrainConfig(objective=objective, **training))


def drawn(
    objective: Any, records: int = 4, valid: list[int] | None = None, seed: int = 3, samples: int = 200
) -> Places:
    """Places of a batch that is an update by itself."""
    batch = {"signal": torch.zeros(records, samples, len(LEADS), dtype=torch.int16)}
    batch |= {} if valid is None else {"valid": torch.tensor(valid)}
    (places,) = objective.draw([batch], seed, objective.prepare([batch], seed))
    return places


def signal(records: int = 4, samples: int = 200) -> torch.Tensor:
    """Noise of 1 mV."""
    return torch.randn(records, len(LEADS), samples, generator=torch.Generator().manual_seed(1))


def alone(noise: Places, row: int, patches: int, padded: int) -> Places:
    """What a record of so many patches a line has of a padded batch's noise, numbered as it is alone."""
    found = []
    for places, real in ((noise.seen_bv, noise.real_seen_bv), (noise.hidden_bh, noise.real_hidden_bh)):
        kept = places[row][real[row]]
        found.append((kept // padded * patches + kept % padded)[None])
    return Places(*found)
