"""What the code of ECG-LFM cannot compute is not measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.benchmark.training.original import OriginalObjective
from ecglfm.config import EncoderConfig, EncoderSlice, ProjectConfig, UserError, load
from ecglfm.training.pretraining.encoders import build_encoder


def test_the_original_has_batch_normalisation_only(repository: Path) -> None:
    """What the code of ECG-LFM cannot compute is not measured as if it could."""
    config = load(EncoderConfig, repository / "config/encoders/tiny.yaml")
    model = config.model.model_copy(update={"norm": "group"})
    preprocess = load(ProjectConfig, repository / "config/config.yaml").preprocess
    slice_ = EncoderSlice(encoder="tiny", config=config.model_copy(update={"model": model}), preprocess=preprocess)
    with pytest.raises(UserError, match="Conformers with `norm: batch`"):
        OriginalObjective(build_encoder(slice_, 0), config.pretrain)
